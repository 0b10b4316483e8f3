//! Python's own options among the arguments of a PEX that acts as an interpreter.
//!
//! Python stops reading options at `-c`, `-m`, `-` or a file name. What stands before goes to the one Python that is
//! started, what follows is for the boot, which sees `-c` and `-m` as words of their own even where they were glued.

use alloc::vec::Vec;

/// Long options that take the next argument.
const WITH_VALUE: &[&[u8]] = &[b"--check-hash-based-pycs"];

/// The options for Python, and the arguments for the boot.
#[must_use]
pub fn split(args: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut options: Vec<Vec<u8>> = Vec::new();
    let mut boot: Vec<Vec<u8>> = Vec::new();
    let mut rest = args;
    while let [arg, behind @ ..] = rest {
        let letters = match arg.strip_prefix(b"-") {
            None | Some(b"") => break,
            Some(letters) => letters,
        };
        rest = behind;
        // Letters may share one dash; these four end the group, and what follows them in the word is theirs.
        let end = letters.iter().position(|letter| b"cmWX".contains(letter));
        let takes_value = match end.and_then(|end| letters.split_at_checked(end)) {
            _ if letters.starts_with(b"-") => WITH_VALUE.contains(arg),
            Some((_, [b'W' | b'X', glued @ ..])) => glued.is_empty(),
            Some((before, [letter, glued @ ..])) => {
                if !before.is_empty() {
                    options.push([b"-", before].concat());
                }
                boot.push([b'-', *letter].to_vec());
                if !glued.is_empty() {
                    boot.push(glued.to_vec());
                }
                break;
            }
            _ => false,
        };
        options.push(arg.to_vec());
        if takes_value && let [value, behind @ ..] = rest {
            options.push(value.to_vec());
            rest = behind;
        }
    }
    boot.extend(rest.iter().map(|arg| arg.to_vec()));
    (options, boot)
}

#[cfg(test)]
mod tests {
    use super::split;
    use alloc::vec::Vec;

    #[test]
    fn options_end_where_python_ends_them() {
        let check = |line: &str, options: &str, boot: &str| {
            let args: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
            let words = |text: &str| {
                text.split_whitespace()
                    .map(|word| word.as_bytes().to_vec())
                    .collect::<Vec<_>>()
            };
            assert_eq!(split(&args), (words(options), words(boot)), "{line}");
        };
        check("", "", "");
        check("-c code -u", "", "-c code -u");
        check("-u -m mod -x", "-u", "-m mod -x");
        check("-um pyspark.daemon a", "-u", "-m pyspark.daemon a");
        check(
            "-OWignore -X dev -W error f.py -i",
            "-OWignore -X dev -W error",
            "f.py -i",
        );
        check("-Ic1+1 a", "-I", "-c 1+1 a");
        check("- -u", "", "- -u");
        check("--version", "--version", "");
        check(
            "--check-hash-based-pycs always f.py",
            "--check-hash-based-pycs always",
            "f.py",
        );
        check("-i", "-i", "");
        check("-W", "-W", "");
    }
}
