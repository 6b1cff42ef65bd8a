//! The contract's form of several errors in one message.

/// Several errors as one message; a message of this form nests in another.
pub(crate) fn list(errors: &[String]) -> String {
    let lines: Vec<String> = errors.iter().map(|error| format!("* {error}")).collect();
    let plural = if errors.len() == 1 { "error" } else { "errors" };
    format!("{} {plural} occurred:\n\t{}\n\n", errors.len(), lines.join("\n\t"))
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn counts_and_nests() {
        assert_eq!(list(&["X".to_owned()]), "1 error occurred:\n\t* X\n\n");
        let two = list(&["A".to_owned(), "B".to_owned()]);
        assert_eq!(two, "2 errors occurred:\n\t* A\n\t* B\n\n");
        assert_eq!(
            list(&[format!("C: {two}")]),
            "1 error occurred:\n\t* C: 2 errors occurred:\n\t* A\n\t* B\n\n\n\n"
        );
    }
}
