//! The section `.security.txt`, which tools read from an ELF without running it. In it, the crate
//! `solana-security-txt` puts where the text lies and how long it is, as a Rust `&str`: 16 bytes.
//!
//! The layout step knows only code and read-only data, so the section leaves the assembly first and is
//! added to the finished ELF. The text itself is read-only data and stays where it is; a program loads
//! at the offsets of its file, so its place in the file is its address.

use anyhow::{Context as _, Result, bail};

/// The name of the section.
const SECTION: &str = ".security.txt";

/// The name of the static in it, which nothing in a program reads.
pub const SYMBOL: &str = "SECURITY_TXT";

const BEGIN: &[u8] = b"=======BEGIN SECURITY.TXT V1=======\0";
const END: &[u8] = b"=======END SECURITY.TXT V1=======\0";

/// Positions in the header of an ELF, and the size of a section's header.
const HEADERS_AT: usize = 40;
const HEADER_COUNT: usize = 60;
const NAMES_INDEX: usize = 62;
const HEADER: usize = 64;

/// `assembly` without the section, if it has one, and whether it had.
pub fn remove(assembly: &str) -> (String, bool) {
    let (mut text, mut inside, mut found) = (String::with_capacity(assembly.len()), false, false);
    for line in assembly.lines() {
        let code = line.trim();
        if let Some(name) = code.strip_prefix(".section") {
            inside = name.trim().split(',').next() == Some(SECTION);
            found |= inside;
        } else if [".text", ".data", ".bss"].contains(&code) {
            inside = false;
        }
        // What LLVM says of the symbol may stand before the section, and would name nothing.
        let about = code.starts_with('.') && code.split([' ', '\t', ',']).any(|w| w == SYMBOL);
        if !inside && !about {
            text.push_str(line);
            text.push('\n');
        }
    }
    (text, found)
}

/// `elf` with the section as its last but the names'.
pub fn append(elf: &[u8]) -> Result<Vec<u8>> {
    let start = find(elf, BEGIN).context("the program's security.txt got lost on the way")?;
    let length = elf.get(start..).and_then(|rest| find(rest, END)).map(|at| at + END.len());
    let length = length.context("the program's security.txt has no end")?;

    let headers_at = usize::try_from(number(elf, HEADERS_AT, 8)?)?;
    let count = usize::try_from(number(elf, HEADER_COUNT, 2)?)?;
    let names_index = usize::try_from(number(elf, NAMES_INDEX, 2)?)?;
    if names_index + 1 != count {
        bail!("the section with the names is not the last one");
    }
    let part = |from: usize, length: usize| {
        elf.get(from..from + length).context("a section lies outside of the ELF")
    };
    let headers = part(headers_at, names_index * HEADER)?;
    let mut names_header = part(headers_at + names_index * HEADER, HEADER)?.to_vec();
    let names_at = usize::try_from(number(&names_header, 24, 8)?)?;
    let names = part(names_at, usize::try_from(number(&names_header, 32, 8)?)?)?;

    // Sections have to follow each other as their headers do: all as before, this one, the names.
    let mut out = elf.get(..names_at).context("the names lie outside of the ELF")?.to_vec();
    align(&mut out);
    let section_at = out.len();
    for value in [start, length] {
        out.extend((value as u64).to_le_bytes());
    }
    let new_names_at = out.len();
    out.extend([names, SECTION.as_bytes(), &[0]].concat());
    align(&mut out);
    let new_headers_at = out.len();
    out.extend(headers);
    out.extend(section_header(names.len(), section_at)?);
    put(&mut names_header, 24, &(new_names_at as u64).to_le_bytes())?;
    put(&mut names_header, 32, &((names.len() + SECTION.len() + 1) as u64).to_le_bytes())?;
    out.extend(names_header);
    put(&mut out, HEADERS_AT, &(new_headers_at as u64).to_le_bytes())?;
    put(&mut out, HEADER_COUNT, &u16::try_from(count + 1)?.to_le_bytes())?;
    put(&mut out, NAMES_INDEX, &u16::try_from(count)?.to_le_bytes())?;
    Ok(out)
}

/// The header of the new section: 16 bytes of data at `at` that are not loaded.
fn section_header(name: usize, at: usize) -> Result<Vec<u8>> {
    const DATA: u32 = 1;
    let mut header = vec![];
    header.extend(u32::try_from(name)?.to_le_bytes());
    header.extend(DATA.to_le_bytes());
    // Flags, address, offset, size, link and info in one, alignment, size of an entry.
    for value in [0, 0, at as u64, 16, 0, 8, 0] {
        header.extend(value.to_le_bytes());
    }
    Ok(header)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The little-endian number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> Result<u64> {
    let bytes = bytes.get(at..at + width).context("the ELF is cut off")?;
    Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<()> {
    let place = bytes.get_mut(at..at + value.len()).context("the ELF is cut off")?;
    place.copy_from_slice(value);
    Ok(())
}

fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_leaves_the_assembly() {
        let rest = "\t.section\t.rodata,\"a\",@progbits\n.Lx:\n\t.asciz \"SECURITY_TXT\"\n";
        let section = "\t.type\tSECURITY_TXT,@object\n\t.section\t.security.txt,\"aw\",@progbits\n\
                       \t.globl\tSECURITY_TXT\nSECURITY_TXT:\n\t.quad\t.Lx\n\t.quad\t99\n";
        assert_eq!(remove(&format!("{section}{rest}")), (rest.to_owned(), true));
        assert_eq!(
            remove(&format!("{section}\t.text\n{rest}")),
            (format!("\t.text\n{rest}"), true)
        );
        assert_eq!(remove(rest), (rest.to_owned(), false));
    }

    /// An ELF with the text after its header, one section of names, and the headers.
    fn elf(text: &[u8]) -> Vec<u8> {
        let mut elf = vec![0; 64];
        elf.extend(text);
        let names_at = elf.len() as u64;
        elf.extend(b"\0.s\0");
        align(&mut elf);
        let headers_at = elf.len() as u64;
        elf.extend([0; 2 * HEADER]);
        let header = headers_at as usize + HEADER;
        put(&mut elf, header + 24, &names_at.to_le_bytes()).unwrap();
        put(&mut elf, header + 32, &4_u64.to_le_bytes()).unwrap();
        put(&mut elf, HEADERS_AT, &headers_at.to_le_bytes()).unwrap();
        put(&mut elf, HEADER_COUNT, &[2, 0]).unwrap();
        put(&mut elf, NAMES_INDEX, &[1, 0]).unwrap();
        elf
    }

    #[test]
    fn the_section_says_where_the_text_is() {
        let text = [BEGIN, b"name\0x\0", END].concat();
        let out = append(&elf(&text)).unwrap();
        let headers = number(&out, HEADERS_AT, 8).unwrap() as usize;
        assert_eq!(number(&out, HEADER_COUNT, 2).unwrap(), 3);
        assert_eq!(number(&out, NAMES_INDEX, 2).unwrap(), 2);
        let header = headers + HEADER;
        let at = number(&out, header + 24, 8).unwrap() as usize;
        assert_eq!(number(&out, at, 8).unwrap(), 64);
        assert_eq!(number(&out, at + 8, 8).unwrap(), text.len() as u64);
        let names = number(&out, header + HEADER + 24, 8).unwrap() as usize;
        let name = names + number(&out, header, 4).unwrap() as usize;
        assert!(out[name..].starts_with(b".security.txt\0"));
        assert!(at >= 64 + text.len() && names >= at + 16 && headers >= name + 14);
    }

    #[test]
    fn a_text_that_got_lost_is_an_error() {
        assert!(append(&elf(b"nothing")).is_err());
        assert!(append(&elf(BEGIN)).is_err());
    }
}
