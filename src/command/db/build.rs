//! `db build`: a file of a CSV table.

use std::fs::{File, Metadata};
use std::io::{BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use flate2::read::MultiGzDecoder;

use crate::command::output::{counted, say};
use crate::command::{Exit, Failure};
use crate::database::{self, Built, Readers, mmdb_instead_of, put};

/// Make a file of a CSV table
#[derive(Debug, Args)]
#[command(after_help = "\
The first line names the columns: `network`, or `start_ip` and `end_ip`, and what is known. With a
type that begins with `ipstamp` these are fields as `want` names them; with any other type they are
the members of that layout's records, a dot leads into a member, and every value is text. Networks
stand in the order of addresses, larger ones before the smaller ones in them.

Examples:
  ipstamp db build --from lite.csv.gz --to lite.mmdb --type ipinfo_lite
  ipstamp db build --from offices.csv --to offices.mmdb --type 'ipstamp offices'")]
pub(super) struct BuildArgs {
    /// The table, in CSV; one that ends in .gz is unpacked
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The file to make; what is there is replaced at once, when all went well
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The type that the file gives itself, which decides how it is read
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
}

/// Makes it.
pub(super) fn build(args: &BuildArgs) -> Result<Exit, Failure> {
    let name = args.from.file_name().unwrap_or_default().to_string_lossy();
    if let Some(mmdb) = mmdb_instead_of(&name) {
        let message = format_args!(
            "--from: {}: a database is made of CSV tables alone; of IPinfo fetch {mmdb}, which has the \
             same: {{source: ipinfo, file: {mmdb}, token: …}} in `databases`, and `ipstamp db fetch`",
            args.from.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let unreadable = |error| unavailable(&args.from, "cannot be read", &error);
    let file = File::open(&args.from).map_err(unreadable)?;
    refuse_to_replace(args)?;
    let written = file.metadata().and_then(|file| file.modified()).unwrap_or(SystemTime::now());
    let packed = args.from.extension().is_some_and(|extension| extension == "gz");
    let file = BufReader::with_capacity(1 << 16, file);
    let table: Box<dyn Read> =
        if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let Built { database, rows } =
        database::build(table, &args.kind, written).map_err(|error| {
            Failure::new(Exit::Config, format_args!("{}: {error}", args.from.display()))
        })?;
    put(&args.to, database.bytes(), Readers::AsUsual)
        .map_err(|error| unavailable(&args.to, "cannot be written", &error))?;
    let rows = counted(rows, "row", "rows");
    say(&format!("{}: {rows}, {} bytes", args.to.display(), database.size()));
    Ok(Exit::Done)
}

/// What is put in its place takes away what was there: a table, a device and a pipe are not meant by that.
fn refuse_to_replace(args: &BuildArgs) -> Result<(), Failure> {
    let Ok(there) = args.to.metadata() else { return Ok(()) };
    let is_table = args.from.metadata().is_ok_and(|from| is_same(&from, &there));
    let what = match () {
        () if is_table => "is the table itself",
        () if !there.is_file() => "is there already, and no file",
        () => return Ok(()),
    };
    let words = format_args!("--to: {} {what}; name another file", args.to.display());
    Err(Failure::new(Exit::Usage, words))
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn unavailable(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Unavailable, format_args!("{}: {what} ({error})", path.display()))
}
