//! `security.txt` in the ELF: tells whoever has only the program's address where to report a
//! weakness. Explorers read this format, which is that of the crate `solana-security-txt`. There is
//! no public contact address, so every field points to the files that come with the source.

solana_security_txt::security_txt! {
    name: "Upgrade manager of the control room for Solana program upgrades",
    project_url: "private",
    contacts: "other:the maintainers of the source repository, as SECURITY.md there says",
    policy: "SECURITY.md in the source repository",
    preferred_languages: "en",
    source_code: "private",
    source_release: env!("CARGO_PKG_VERSION")
}
