//! `buffer upload`: writes code into a new buffer. The buffer's key is kept in a key file in the data folder,
//! named after the code's hash, so that running the same command again resumes an interrupted upload.
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use backend::{BuiltElf, ProgramBuilder, SetupManager, UploadRequest};

use super::confirm;
use crate::{
    cli::setup::Upload, config::KeyFile, headless::cluster::check_cluster, session::Session,
};

/// Folder below the data folder with the buffer keys of incomplete uploads.
const KEY_FILE_FOLDER: &str = "buffers";

pub(super) async fn run(session: &Session, args: &Upload) -> Result<u8> {
    let signer = session.signer()?;
    let backend = session.backend(signer).await?;
    check_cluster(session, &backend).await?;
    let builder = ProgramBuilder::new(&backend.context());
    let elf = match (&args.file, args.program) {
        (Some(file), _) => builder.check_file(file),
        (None, Some(program)) => builder.live_elf(&program).await,
        (None, None) => bail!("Name a file, or --live with --program."),
    };
    let elf = elf.map_err(|e| session.clean(&e))?;
    let folder = session.settings.data_dir.join(KEY_FILE_FOLDER);
    let resume = args.resume.as_ref().map(KeyFile::path).transpose()?;
    let key_file = match resume {
        Some(path) if !path.exists() => {
            bail!(
                "There is no buffer key file {}: leave --resume away to start anew.",
                path.display()
            )
        }
        Some(path) => path,
        None => key_file(&folder, &elf, args.live),
    };
    let is_our_key_file = key_file.starts_with(&folder);
    if args.sign.yes && is_our_key_file && !session.settings.read_only {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("The folder {} cannot be made.", folder.display()))?;
    }
    let setup = SetupManager::new(&backend.context());
    let request = UploadRequest {
        elf,
        program: args.program,
        key_file: key_file.clone(),
        remove_key_file: is_our_key_file,
    };
    let shown = setup.upload(request).await.map_err(|e| session.clean(&e))?;
    let code = confirm::run(session, &setup, shown, args.sign, "buffer").await;
    if code.is_err() && key_file.exists() {
        eprintln!(
            "What is uploaded stays. Run the same command again to go on; the buffer's key is in {}.",
            key_file.display()
        );
    }
    code
}

/// The key file for an upload of `elf`. A copy of the live code gets its own, because it may be the same ELF.
fn key_file(folder: &Path, elf: &BuiltElf, live: bool) -> PathBuf {
    let kind = if live { "live" } else { "file" };
    folder.join(format!("{kind}-{}.json", hex::encode(elf.info.sha256)))
}
