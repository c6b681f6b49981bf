//! `security.txt` in the ELF: whom to tell about a weakness, for those who have only the program's
//! address. The format is that of the crate `solana-security-txt`, which explorers read. There is no
//! public address to name: everything points to the files that come with the source.

solana_security_txt::security_txt! {
    name: "Upgrade manager of the control room for Solana program upgrades",
    project_url: "private",
    contacts: "other:the maintainers of the source repository, as SECURITY.md there says",
    policy: "SECURITY.md in the source repository",
    preferred_languages: "en",
    source_code: "private",
    source_release: env!("CARGO_PKG_VERSION")
}
