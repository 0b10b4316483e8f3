//! Plans as bytes, whole and damaged.

use alloc::vec;

use super::*;

fn place(anchor: Anchor, path: &str) -> Place {
    Place {
        anchor,
        path: path.into(),
    }
}

/// A plan with every kind of everything.
fn full() -> Plan {
    let identity = Identity {
        ino: 1,
        size: u64::MAX,
        mtime: -3,
        mtime_nsec: 4,
        ctime: i64::MIN,
        ctime_nsec: 6,
    };
    Plan {
        files: vec![identity, Identity::default()],
        fingerprint: [7; 32],
        portable: true,
        boots: true,
        boot_id: *b"0123456789abcdef",
        inputs: vec![
            Input::Content(
                place(Anchor::Root, "/lib"),
                Content {
                    size: 1,
                    mtime: 2,
                    sum: *b"checksum",
                },
            ),
            Input::File(place(Anchor::Root, "/usr/bin/python3"), identity),
            Input::Present(place(Anchor::PexDir, "../x"), 7),
            Input::Absent(place(Anchor::Home, ".pexrc")),
            Input::Link(place(Anchor::Cwd, "l"), b"target\xff".to_vec()),
            Input::FirstOnPath(b"python3".to_vec(), Some(b"/bin/python3".to_vec())),
            Input::FirstOnPath(b"python2".to_vec(), None),
            Input::FirstUpward(b".python-version".to_vec(), None),
            Input::FirstUpward(
                b".python-version".to_vec(),
                Some(b"/a/.python-version".to_vec()),
            ),
            Input::Variable(b"A".to_vec(), Some(Vec::new())),
            Input::Variable(b"B".to_vec(), None),
            Input::Kernel(b"6.1\0#1".to_vec()),
            Input::Pex(b"/dir/pex".to_vec()),
            Input::Cwd(b"/job".to_vec()),
        ],
        exec: Exec {
            program: b"/usr/bin/python3".to_vec(),
            argv: vec![b"python3".to_vec(), Vec::new(), b"-S".to_vec()],
            interpreter: true,
            env: vec![
                EnvChange::Remove(b"A".to_vec()),
                EnvChange::RemovePrefix(b"PEX_".to_vec()),
                EnvChange::Set(b"PEX".to_vec(), Value::RealPex),
                EnvChange::Set(b"P".to_vec(), Value::InvokedPex),
                EnvChange::Set(b"_PEXBOOT".to_vec(), Value::Note(Note::default())),
                EnvChange::SetDefault(b"B".to_vec(), Value::Text(b"b".to_vec())),
                EnvChange::Prepend(b"PATH".to_vec(), b"/v/bin".to_vec()),
                EnvChange::Append(b"PATH".to_vec(), b"/w/bin".to_vec()),
            ],
        },
    }
}

/// The one plan in `bytes`.
fn decode(bytes: &[u8]) -> Option<Plan> {
    Plans::of(bytes).next()
}

/// `body` under a header that vouches for it.
fn vouched(body: &[u8]) -> Vec<u8> {
    let mut bytes = encode(&[]);
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&crate::checksum::checksum(body));
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn what_is_encoded_is_decoded() {
    for plans in [vec![], vec![Plan::default()], vec![full(), Plan::default()]] {
        assert_eq!(Plans::of(&encode(&plans)).collect::<Vec<_>>(), plans);
    }
}

#[test]
fn any_damage_makes_it_no_plan() {
    let good = encode(&[full()]);
    for length in 0..good.len() {
        assert_eq!(decode(&good[..length]), None, "cut to {length}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            assert_eq!(decode(&bytes), None, "bit {bit} of byte {at}");
        }
    }
    for at in 24..good.len() - 8 {
        let mut bytes = good.clone();
        bytes.swap(at, at + 8);
        assert_eq!(decode(&bytes).is_some(), bytes == good, "swapped at {at}");
    }
    assert_eq!(decode(&vec![0; SIZE_MAX + 1]), None, "too large");
}

#[test]
fn a_damaged_plan_leaves_the_others() {
    let mut bytes = encode(&[full(), Plan::default()]);
    bytes[30] ^= 1;
    assert_eq!(Plans::of(&bytes).collect::<Vec<_>>(), [Plan::default()]);
    bytes.push(0);
    assert_eq!(Plans::of(&bytes).count(), 1, "a byte too many");
}

#[test]
fn a_body_of_any_bytes_is_read_without_harm() {
    let good = encode(&[full()]);
    let body = &good[24..];
    assert_eq!(
        decode(&vouched(body)),
        Some(full()),
        "the header of this test is right"
    );
    assert_eq!(
        decode(&vouched(&[body, b"\0"].concat())),
        None,
        "bytes behind the end"
    );
    for length in 0..body.len() {
        assert_eq!(decode(&vouched(&body[..length])), None, "cut to {length}");
    }
    // A xorshift generator with a fixed start: every run tries the same damage.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..20_000 {
        let mut bytes = body.to_vec();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = 0xff,
                1 => bytes[at] = bytes[at].wrapping_add(1),
                2 => bytes[at] = u8::try_from(random(256)).unwrap(),
                _ => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0x7f])),
            }
        }
        if let Some(plan) = decode(&vouched(&bytes)) {
            assert_eq!(encode(&[plan]), vouched(&bytes), "one plan, one encoding");
        }
    }
}

#[test]
fn a_zero_byte_in_a_text_is_refused() {
    let mut plan = full();
    plan.exec.argv.push(b"a\0b".to_vec());
    assert_eq!(decode(&encode(&[plan])), None);
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    // 4 Gi inputs are announced, none is there: were room made for them in advance, this would not come back.
    let mut body = vec![0; 16];
    body.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(&vouched(&body)), None);
}
