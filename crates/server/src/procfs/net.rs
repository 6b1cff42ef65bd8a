//! `/proc/net/dev` of this process's network namespace (proc_pid_net(5)).

use api::machine::NetDev;

use super::{Kernel, ProcError, at, numbers};

impl Kernel {
    /// Counters of all network devices together, and of each.
    ///
    /// # Errors
    /// [`ProcError`] when the file cannot be read.
    pub fn network_devices(&self) -> Result<(NetDev, Vec<NetDev>), ProcError> {
        let devices = parse(&self.read("proc/net/dev")?);
        let mut total = NetDev { name: "total".to_owned(), ..Default::default() };
        for device in &devices {
            total.rx_bytes += device.rx_bytes;
            total.rx_packets += device.rx_packets;
            total.rx_errors += device.rx_errors;
            total.rx_dropped += device.rx_dropped;
            total.rx_fifo += device.rx_fifo;
            total.rx_frame += device.rx_frame;
            total.rx_compressed += device.rx_compressed;
            total.rx_multicast += device.rx_multicast;
            total.tx_bytes += device.tx_bytes;
            total.tx_packets += device.tx_packets;
            total.tx_errors += device.tx_errors;
            total.tx_dropped += device.tx_dropped;
            total.tx_fifo += device.tx_fifo;
            total.tx_collisions += device.tx_collisions;
            total.tx_carrier += device.tx_carrier;
            total.tx_compressed += device.tx_compressed;
        }
        Ok((total, devices))
    }
}

fn parse(text: &str) -> Vec<NetDev> {
    // The two heading lines have no colon after their first word.
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, rest)| {
            let counts = numbers(rest);
            NetDev {
                name: name.trim().to_owned(),
                rx_bytes: at(&counts, 0),
                rx_packets: at(&counts, 1),
                rx_errors: at(&counts, 2),
                rx_dropped: at(&counts, 3),
                rx_fifo: at(&counts, 4),
                rx_frame: at(&counts, 5),
                rx_compressed: at(&counts, 6),
                rx_multicast: at(&counts, 7),
                tx_bytes: at(&counts, 8),
                tx_packets: at(&counts, 9),
                tx_errors: at(&counts, 10),
                tx_dropped: at(&counts, 11),
                tx_fifo: at(&counts, 12),
                tx_collisions: at(&counts, 13),
                tx_carrier: at(&counts, 14),
                tx_compressed: at(&counts, 15),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_not_devices() {
        let all = parse(
            "Inter-|   Receive                                                |  Transmit\n \
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n    \
             lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\neth0:100 0 0 0 0 0 0 0 200 0 0 0 0 0 0 0\n",
        );
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name.as_str(), all[0].rx_multicast, all[0].tx_bytes), ("lo", 8, 9));
        assert_eq!((all[0].tx_collisions, all[0].tx_compressed), (14, 16));
        assert_eq!((all[1].name.as_str(), all[1].rx_bytes, all[1].tx_bytes), ("eth0", 100, 200));
    }
}
