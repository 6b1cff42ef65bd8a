//! Frames and replies from other nodes: whatever they hold, joining them must neither panic nor lose or invent bytes.
#![no_main]

#[path = "../../crates/server/src/frame.rs"]
#[allow(dead_code)]
mod frame;
#[path = "../../crates/server/src/apid/merge.rs"]
#[allow(dead_code)]
mod merge;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (stream, cut) = input;
    // The same stream gives the same messages, however it is cut.
    let mut whole = frame::Splitter::default();
    whole.push(&stream);
    let mut pieces = frame::Splitter::default();
    let mut cuts = stream.chunks(usize::from(cut) + 1);
    loop {
        let expected = whole.message();
        let message = loop {
            match (pieces.message(), &expected) {
                (Ok(None), Ok(Some(_)) | Err(_)) => match cuts.next() {
                    Some(piece) => pieces.push(piece),
                    None => panic!("a message is missing"),
                },
                (message, _) => break message,
            }
        };
        assert_eq!(message, expected);
        let Ok(Some(message)) = message else { break };
        join(&message);
    }
    join(&stream);
});

fn join(message: &[u8]) {
    const NODE: &str = "node";
    if let Ok(marked) = merge::unary(NODE, message) {
        assert!(marked.len() > message.len(), "no mark was added");
        // Marking again is possible: the result is a list of one, too.
        assert!(merge::unary(NODE, &marked).is_ok());
    }
    let streamed = merge::streamed(NODE, message).expect("a small message");
    assert!(streamed.get(frame::HEADER..).is_some_and(|rest| rest.starts_with(message)));
}
