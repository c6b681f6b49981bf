//! Debian packages, unpacked into a folder without installing them: apt resolves, downloads and
//! checks signatures with a state of its own, `dpkg-deb` unpacks. Needs no root and changes nothing on
//! the system. The mirror is the one that apt on this machine uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    atomic_dir,
    command::{quietly, text},
    fingerprint::files,
};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MIRROR_VARIABLE: &str = "CONTROL_ROOM_DEBIAN_MIRROR";
const KEYRING_VARIABLE: &str = "CONTROL_ROOM_DEBIAN_KEYRING";

/// One of Debian's package archives.
#[derive(Debug, Clone, Copy)]
pub enum Archive {
    Stable,
    StableSecurity,
    Sid,
}

impl Archive {
    fn line(self, mirror: &Mirror, keyring: &Path) -> String {
        let (address, suite) = match self {
            Self::Stable => (&mirror.main, "bookworm"),
            Self::StableSecurity => (&mirror.security, "bookworm-security"),
            Self::Sid => (&mirror.main, "sid"),
        };
        format!("deb [signed-by={}] {address} {suite} main\n", keyring.display())
    }
}

/// Packages with everything they depend on.
#[derive(Debug)]
pub struct Packages {
    pub names: &'static [&'static str],
    pub sources: &'static [Archive],
    /// Dependencies that are not followed.
    pub stop: &'static [&'static str],
}

impl Packages {
    /// What decides the result, as input of a key.
    pub fn text(&self) -> String {
        format!("{self:?}")
    }

    /// Unpacks into `folder/root` and records every package with its version in
    /// `folder/versions.txt`.
    pub fn unpack(&self, folder: &Path) -> Result<()> {
        let apt = Apt::new(&folder.join("apt"), self.sources)?;
        let root = folder.join("root");
        atomic_dir::create(&root)?;
        let mut versions = BTreeMap::new();
        let mut wanted: BTreeSet<String> = self.names.iter().map(ToString::to_string).collect();
        while !wanted.is_empty() {
            let mut next = BTreeSet::new();
            for archive in apt.download(&wanted)? {
                quietly(
                    Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&root),
                    "unpacking a Debian package",
                )?;
                let control = PackageFields::read(&archive)?;
                next.extend(control.dependencies);
                versions.insert(control.name, control.version);
            }
            // A virtual package was recorded under the name of the package that provides it.
            next.retain(|name| {
                !self.stop.contains(&name.as_str())
                    && !versions.contains_key(name)
                    && !wanted.contains(name)
            });
            wanted = next;
        }
        let lines: String =
            versions.iter().map(|(name, version)| format!("{name} {version}\n")).collect();
        fs::write(folder.join("versions.txt"), lines)
            .with_context(|| format!("cannot write to {}", folder.display()))?;
        atomic_dir::remove(&folder.join("apt"))
    }
}

/// apt with state, sources and cache in a folder of its own.
struct Apt {
    folder: PathBuf,
    config: PathBuf,
    mirror: Mirror,
}

impl Apt {
    fn new(folder: &Path, sources: &[Archive]) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            atomic_dir::create(&folder.join(part))?;
        }
        let (mirror, keyring) = (Mirror::find()?, keyring()?);
        let lines: String = sources.iter().map(|source| source.line(&mirror, &keyring)).collect();
        let apt = Self { folder: folder.to_path_buf(), config: folder.join("apt.conf"), mirror };
        let config = apt.config_text(&proxies());
        for (path, content) in
            [(folder.join("sources.list"), &lines), (apt.config.clone(), &config)]
        {
            fs::write(&path, content)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        fs::write(folder.join("status"), "")
            .with_context(|| format!("cannot write to {}", folder.display()))?;
        // Without this option, apt treats an unreachable archive as an empty one.
        let update = ["update", "--option", "APT::Update::Error-Mode=any"];
        quietly(apt.command().args(update), "apt-get update").with_context(|| {
            format!(
                "{} cannot be read: check the network, or name another Debian mirror in \
                 {MIRROR_VARIABLE}",
                apt.mirror.main
            )
        })?;
        Ok(apt)
    }

    /// Points apt at this folder alone; of the machine's own settings only the proxies are kept.
    fn config_text(&self, proxies: &str) -> String {
        let folder = self.folder.display();
        format!(
            "Dir::Etc::main \"/dev/null\";\n\
             Dir::Etc::parts \"/dev/null\";\n\
             Dir::Etc::sourcelist \"{folder}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             Dir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\n\
             Dir::State \"{folder}\";\n\
             Dir::State::lists \"{folder}/lists\";\n\
             Dir::State::status \"{folder}/status\";\n\
             Dir::Cache \"{folder}/cache\";\n\
             APT::Architecture \"amd64\";\n\
             APT::Architectures {{ \"amd64\"; }};\n\
             APT::Sandbox::User \"\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"3\";\n\
             Acquire::Check-Valid-Until \"false\";\n\
             {proxies}"
        )
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("--quiet").env("APT_CONFIG", &self.config).env("LC_ALL", "C");
        command
    }

    /// Downloads the newest version of each package; the archives.
    fn download(&self, names: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("archives");
        atomic_dir::remove(&folder)?;
        atomic_dir::create(&folder)?;
        let mut command = self.command();
        command.arg("download").args(names).current_dir(&folder);
        quietly(&mut command, "apt-get download").with_context(|| {
            format!(
                "packages cannot be downloaded from {}: try again, or name another Debian mirror in \
                 {MIRROR_VARIABLE}",
                self.mirror.main
            )
        })?;
        files(&folder, &[])
    }
}

/// Proxy settings of the machine's apt, in the form of a configuration file.
fn proxies() -> String {
    let dump = text(Command::new("apt-config").arg("dump"), "reading apt's settings");
    let dump = dump.unwrap_or_default();
    let wanted = ["Acquire::http::", "Acquire::https::"];
    dump.lines()
        .filter(|line| wanted.iter().any(|start| line.starts_with(start)))
        .fold(String::new(), |text, line| text + line + "\n")
}

fn keyring() -> Result<PathBuf> {
    let path = env::var_os(KEYRING_VARIABLE).map_or_else(|| PathBuf::from(KEYRING), PathBuf::from);
    if !path.exists() {
        bail!(
            "{} is missing: install debian-archive-keyring, or name the key ring in {KEYRING_VARIABLE}",
            path.display()
        );
    }
    Ok(path)
}

/// Addresses of the two archives.
#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    main: String,
    security: String,
}

impl Mirror {
    /// From the environment, else from what apt would update.
    fn find() -> Result<Self> {
        if let Ok(main) = env::var(MIRROR_VARIABLE) {
            let main = main.trim_end_matches('/').to_owned();
            return Ok(Self { security: format!("{main}-security"), main });
        }
        let list = text(
            Command::new("apt-get").args(["update", "--print-uris"]),
            "asking apt for its mirror",
        )?;
        Self::from_uris(&list).with_context(|| {
            format!("apt on this machine uses no Debian mirror: name one in {MIRROR_VARIABLE}")
        })
    }

    /// From `'ADDRESS/dists/SUITE/FILE' …` lines.
    fn from_uris(list: &str) -> Option<Self> {
        let address_of = |ending: &str| {
            let mut addresses = list.lines().filter_map(|line| {
                line.trim_start_matches('\'').split_once("/dists/").map(|(address, _)| address)
            });
            addresses.find(|address| address.ends_with(ending)).map(str::to_owned)
        };
        let main = address_of("/debian")?;
        let security = address_of("/debian-security");
        Some(Self { security: security.unwrap_or_else(|| format!("{main}-security")), main })
    }
}

/// The fields of a package that matter here.
#[derive(Debug, PartialEq, Eq)]
struct PackageFields {
    name: String,
    version: String,
    dependencies: Vec<String>,
}

impl PackageFields {
    fn read(archive: &Path) -> Result<Self> {
        let fields =
            text(Command::new("dpkg-deb").arg("--field").arg(archive), "reading a Debian package")?;
        Self::parse(&fields)
            .with_context(|| format!("{} has no name or version", archive.display()))
    }

    fn parse(fields: &str) -> Option<Self> {
        let field = |name: &str| {
            fields.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let dependencies = ["Pre-Depends", "Depends"]
            .into_iter()
            .filter_map(field)
            .flat_map(|list| list.split(','))
            .filter_map(|dependency| first_alternative(dependency).map(str::to_owned))
            .collect();
        Some(Self {
            name: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            dependencies,
        })
    }
}

/// `a` of `a:any (>= 1) | b`.
fn first_alternative(dependency: &str) -> Option<&str> {
    dependency.split(['|', '(', ':']).next().map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_package_depends_on() {
        let fields = "Package: cargo-web\nVersion: 1.96.0-1\nPre-Depends: a:any (>= 2)\n\
                      Depends: libc6 (>= 2.34), gcc | c-compiler, b\nDescription: x\n Depends: no";
        let control = PackageFields::parse(fields).unwrap();
        assert_eq!((control.name.as_str(), control.version.as_str()), ("cargo-web", "1.96.0-1"));
        assert_eq!(control.dependencies, ["a", "libc6", "gcc", "b"]);
        assert_eq!(PackageFields::parse("Version: 1"), None);
    }

    #[test]
    fn the_mirror_is_the_one_apt_uses() {
        let uris = "'http://m.test/extra/dists/x/InRelease' a 0\n\
                    'http://m.test/debian/dists/bookworm/InRelease' b 0\n\
                    'http://s.test/debian-security/dists/bookworm-security/InRelease' c 0\n";
        let mirror = Mirror::from_uris(uris).unwrap();
        assert_eq!(mirror.main, "http://m.test/debian");
        assert_eq!(mirror.security, "http://s.test/debian-security");
    }

    #[test]
    fn without_a_security_mirror_it_is_beside_the_main_one() {
        let mirror = Mirror::from_uris("'http://m.test/debian/dists/sid/InRelease' b 0").unwrap();
        assert_eq!(mirror.security, "http://m.test/debian-security");
        assert_eq!(Mirror::from_uris("'http://m.test/ubuntu/dists/noble/InRelease' b 0"), None);
    }
}
