//! Seals or opens standard input to standard output, so that another implementation can check ours.
//!
//! ```text
//! cobblestone seal|open <key in hex> <context in hex> < in > out
//! ```
//!
//! Works in pieces, as the store does. On failure: exit code 1, a line on standard error, and no
//! byte of the piece that did not verify.

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
};

use craton_crypto::{
    SealKey, SystemRandom,
    seal::{HEADER, Opener, SEALED_CHUNK, Sealer},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "cobblestone: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [mode, key, context] = args.as_slice() else {
        return Err("usage: cobblestone seal|open <key in hex> <context in hex>".into());
    };
    let key = SealKey::from_slice(&hex::decode(key)?)?;
    let context = hex::decode(context)?;
    match mode.as_str() {
        "seal" => seal(&key, &context),
        "open" => open(&key, &context),
        other => Err(format!("unknown mode {other:?}").into()),
    }
}

fn seal(key: &SealKey, context: &[u8]) -> Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut sealer = Sealer::new(key, craton_base::random::bytes(&SystemRandom)?, context)?;
    output.write_all(sealer.header())?;
    // An odd size, so that pieces and chunks never line up.
    let (mut piece, mut sealed) = (vec![0; 100_003], Vec::new());
    loop {
        let len = input.read(&mut piece)?;
        if len == 0 {
            break;
        }
        sealer.update(piece.get(..len).unwrap_or_default(), &mut sealed)?;
        output.write_all(&sealed)?;
        sealed.clear();
    }
    sealer.finish(&mut sealed)?;
    output.write_all(&sealed)?;
    Ok(output.flush()?)
}

fn open(key: &SealKey, context: &[u8]) -> Result<()> {
    const CHUNKS: usize = 7;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut header = Vec::new();
    input.by_ref().take(HEADER as u64).read_to_end(&mut header)?;
    let opener = Opener::new(key, &header, context)?;
    let (mut sealed, mut plain, mut first_chunk) = (Vec::new(), Vec::new(), 0);
    loop {
        sealed.clear();
        plain.clear();
        let piece = (CHUNKS * SEALED_CHUNK) as u64;
        let ends = (input.by_ref().take(piece).read_to_end(&mut sealed)? as u64) < piece;
        opener.open_chunks(first_chunk, &sealed, ends, &mut plain)?;
        output.write_all(&plain)?;
        if ends {
            return Ok(output.flush()?);
        }
        first_chunk += CHUNKS as u64;
    }
}
