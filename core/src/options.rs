//! Python's own options among the arguments of a PEX that acts as an interpreter.
//!
//! Python stops reading options at `-c`, `-m`, `-` or a file name. What stands before goes to the one Python that is
//! started, what follows is for the boot, which sees `-c` and `-m` as words of their own even where they were glued.

use alloc::vec::Vec;

/// Long options that take the next argument.
const WITH_VALUE: &[&[u8]] = &[b"--check-hash-based-pycs"];

/// What the user's arguments come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The options for Python.
    pub options: Vec<Vec<u8>>,
    /// The arguments for the boot. `-x` is first among them where the file behind it is to lose its first line: the
    /// boot does that, since Python would take the line from the boot itself.
    pub args: Vec<Vec<u8>>,
    /// Whether the last option lacks its value: Python is to say so, and must not take the boot's path for it.
    pub incomplete: bool,
}

/// Splits the arguments of an interpreter.
#[must_use]
pub fn split(args: &[&[u8]]) -> Split {
    let mut split = Split::default();
    let mut skips_line = false;
    let mut rest = args;
    while let [arg, behind @ ..] = rest {
        let Some([first, ..]) = arg.strip_prefix(b"-") else {
            if skips_line && *arg != b"-" {
                split.args.push(b"-x".to_vec());
            }
            break;
        };
        rest = behind;
        let takes_value = if *first == b'-' {
            split.options.push(arg.to_vec());
            WITH_VALUE.contains(arg)
        } else {
            // Letters may share one dash; these four end the group, and what follows them in the word is theirs.
            let end = arg.iter().position(|letter| b"cmWX".contains(letter));
            let (flags, last) = arg
                .split_at_checked(end.unwrap_or(arg.len()))
                .unwrap_or_default();
            let mut word: Vec<u8> = flags.iter().copied().filter(|&flag| flag != b'x').collect();
            skips_line |= word.len() < flags.len();
            let runs = matches!(last, [b'c' | b'm', ..]);
            if !runs {
                word.extend(last);
            }
            if word.len() > 1 {
                split.options.push(word);
            }
            if let (true, [letter, glued @ ..]) = (runs, last) {
                split.args.push([b'-', *letter].to_vec());
                if !glued.is_empty() {
                    split.args.push(glued.to_vec());
                }
                break;
            }
            last.len() == 1
        };
        if takes_value {
            let [value, behind @ ..] = rest else {
                split.incomplete = true;
                break;
            };
            split.options.push(value.to_vec());
            rest = behind;
        }
    }
    split.args.extend(rest.iter().map(|arg| arg.to_vec()));
    split
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
            let found = split(&args);
            assert_eq!(
                (found.options, found.args),
                (words(options), words(boot)),
                "{line}"
            );
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
        check("-x f.py -x", "", "-x f.py -x");
        check("-Bx -OWerror f.py", "-B -OWerror", "-x f.py");
        check("-x -", "", "-");
        check("-xm mod", "", "-m mod");
        check("-x", "", "");
        check("-Xx -W x f.py", "-Xx -W x", "f.py");
        check("-c", "", "-c");
    }

    #[test]
    fn an_option_without_its_value_is_incomplete() {
        let incomplete = |words: &[&str]| {
            let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            split(&args).incomplete
        };
        for words in [&["-W"][..], &["-u", "-BX"], &["--check-hash-based-pycs"]] {
            assert!(incomplete(words), "{words:?}");
        }
        for words in [&["-c"][..], &["-W", "error"], &["-Werror"], &["-x"], &[]] {
            assert!(!incomplete(words), "{words:?}");
        }
    }
}
