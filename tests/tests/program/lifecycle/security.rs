//! `security.txt` in the manager's ELF, read as explorers and the crate's own tool read it: by its section,
//! and by the marks around the text.
use std::collections::BTreeMap;

const BEGIN: &str = "=======BEGIN SECURITY.TXT V1=======\0";
const END: &str = "=======END SECURITY.TXT V1=======\0";

/// The little-endian number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    bytes[at..at + width].iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

/// The content of the section `wanted`.
fn section<'a>(elf: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let (headers, count) = (number(elf, 40, 8), number(elf, 60, 2));
    let place = |index: usize| {
        let header = headers + index * 64;
        (number(elf, header + 24, 8), number(elf, header + 32, 8))
    };
    let (names, length) = place(number(elf, 62, 2));
    let names = &elf[names..names + length];
    let index = (0..count).find(|index| {
        let name = &names[number(elf, headers + index * 64, 4)..];
        name.split(|byte| *byte == 0).next() == Some(wanted.as_bytes())
    })?;
    let (at, length) = place(index);
    Some(&elf[at..at + length])
}

/// The fields of a text between its marks: names and values by turns, a zero byte after each.
fn fields(text: &str) -> BTreeMap<&str, &str> {
    let inner = text.strip_prefix(BEGIN).and_then(|text| text.strip_suffix(END)).unwrap();
    let parts: Vec<&str> = inner.strip_suffix('\0').unwrap().split('\0').collect();
    assert_eq!(parts.len() % 2, 0, "a field without a value: {parts:?}");
    parts.chunks(2).map(|pair| (pair[0], pair[1])).collect()
}

#[test]
fn the_managers_elf_contains_its_security_contact() {
    let elf = e2e::elf::manager();
    let start = elf.windows(BEGIN.len()).position(|bytes| bytes == BEGIN.as_bytes()).unwrap();
    let length = elf[start..].windows(END.len()).position(|bytes| bytes == END.as_bytes()).unwrap();
    let text = std::str::from_utf8(&elf[start..start + length + END.len()]).unwrap();
    let fields = fields(text);
    for required in ["name", "project_url", "contacts", "policy"] {
        assert!(fields.get(required).is_some_and(|value| !value.is_empty()), "{required}");
    }
    let (kind, _) = fields["contacts"].split_once(':').unwrap();
    assert!(["email", "link", "discord", "telegram", "twitter", "other"].contains(&kind), "{kind}");
    assert!(fields["policy"].contains("SECURITY.md"));

    // The section holds a Rust `&str`: address, and length. A linker may leave the address to a
    // relocation, which reads it from the upper half.
    let pointer = section(elf, ".security.txt").expect("the section is missing");
    let address = number(pointer, 0, 8);
    let address = if address >> 32 > 1 { address >> 32 } else { address & 0xffff_ffff };
    assert_eq!((address, number(pointer, 8, 8)), (start, text.len()));
}
