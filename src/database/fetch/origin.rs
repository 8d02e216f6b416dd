//! Where a file is, and how it is asked for there: the `databases` section made into calls. Pure.

use std::fmt;
use std::path::PathBuf;

use openssl::sha::sha256;
use reqwest::Url;

use crate::record::{Day, Secret, UrlText};
use crate::resolve::desk::callable;
use crate::resolve::{DatabaseConfig, FetchSource};

/// What stands for the token in a URL of one's own.
const TOKEN: &str = "{token}";

/// A place that files come from.
#[derive(Clone, PartialEq)]
pub enum Origin {
    /// Calls of a vendor, or of any server.
    Server(Server),
    /// A folder that `db fetch --to` wrote, on a server.
    Mirror {
        /// The folder, with a slash at its end.
        base: Url,
        /// The database in it.
        file: String,
        /// For whoever asks for one.
        token: Option<Secret>,
    },
    /// The same on a disk.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The database in it.
        file: String,
    },
}

/// Whose calls are known beforehand.
#[derive(Clone, PartialEq)]
pub struct Server {
    source: FetchSource,
    /// Scheme and host; of any server the whole URL.
    base: UrlText,
    /// What is fetched from a vendor.
    file: String,
    account: String,
    token: Option<Secret>,
    checksum_url: Option<UrlText>,
}

/// A call. What it carries does not print, for a token may be in the URL.
#[derive(Clone, PartialEq)]
pub(super) struct Call {
    pub(super) url: Url,
    pub(super) authorization: Option<Authorization>,
}

/// What goes into the header of the first call, and never along a redirect.
#[derive(Clone, PartialEq)]
pub(super) enum Authorization {
    Bearer(Secret),
    Basic(String, Secret),
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Origin")
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}

/// What to ask a server for.
#[derive(Debug, PartialEq)]
pub(super) struct Calls {
    /// The SHA-256 of the file, where it is said.
    pub(super) checksum: Option<Call>,
    /// The file: the first of these that is there.
    pub(super) files: Vec<Call>,
}

/// What is wrong with a key, and what to write.
pub(super) type Wrong = (&'static str, String);

impl Origin {
    /// The origin of a database; None for one that is not fetched. Everything that is wrong is said.
    pub fn of(config: &DatabaseConfig) -> Result<Option<Self>, Vec<Wrong>> {
        let wrong = misplaced(config);
        let Some(source) = config.source else {
            return if wrong.is_empty() { Ok(None) } else { Err(wrong) };
        };
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let origin = match source {
            FetchSource::Mirror => mirror(config),
            _ => server(source, config),
        };
        origin.map(Some).map_err(|wrong| vec![wrong])
    }

    /// Tells this origin from another one, without anything secret: what is known of the last file of
    /// one says nothing of the other's.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Server(server) => {
                format!("{} {} {}", server.source.name(), told_apart(&server.base), server.file)
            }
            Self::Mirror { base, file, .. } => {
                format!("mirror {} {file}", told_apart(&UrlText::new(base.as_str())))
            }
            Self::Folder { path, file } => format!("mirror {} {file}", path.display()),
        }
    }
}

/// The URL as it may be written down. What that hides may name another file, so a few bytes of its hash
/// stand behind it.
fn told_apart(url: &UrlText) -> String {
    let shown = url.to_string();
    if shown == url.expose() {
        return shown;
    }
    let [a, b, c, d, ..] = sha256(url.expose().as_bytes());
    format!("{shown} {:08x}", u32::from_be_bytes([a, b, c, d]))
}

impl Server {
    /// What to ask for on this day.
    pub(super) fn calls(&self, today: Day) -> Result<Calls, Wrong> {
        let token = || self.token.clone().unwrap_or_else(|| Secret::new(""));
        let at =
            |path: &str| Url::parse(&format!("{}{path}", self.base.expose().trim_end_matches('/')));
        let url = |path: &str| at(path).map_err(|_| ("file", "does not make a URL".to_owned()));
        let file = &self.file;
        let bearer = |path: String| {
            let authorization = Some(Authorization::Bearer(token()));
            url(&path).map(|url| Call { url, authorization })
        };
        let basic = |path: String| {
            let authorization = Some(Authorization::Basic(self.account.clone(), token()));
            url(&path).map(|url| Call { url, authorization })
        };
        let bare = |url: Url| Call { url, authorization: None };
        Ok(match self.source {
            FetchSource::Ipinfo => Calls {
                checksum: Some(bearer(format!("/data/{file}/checksums"))?),
                files: vec![bearer(format!("/data/{file}"))?],
            },
            FetchSource::Maxmind => {
                let path = format!("/geoip/databases/{file}/download?suffix=tar.gz");
                Calls {
                    checksum: Some(basic(format!("{path}.sha256"))?),
                    files: vec![basic(path)?],
                }
            }
            FetchSource::Ipgeolocation => {
                let mut url = url(&format!("/v2/download/{file}?format=mmdb"))?;
                url.query_pairs_mut().append_pair("apiKey", token().expose());
                Calls { checksum: None, files: vec![bare(url)] }
            }
            FetchSource::Dbip => {
                // A month's file may come some days late.
                let (year, month, _) = today.civil();
                let before = if month == 1 { (year - 1, 12) } else { (year, month - 1) };
                let of = |(year, month)| {
                    url(&format!("/free/{file}-{year:04}-{month:02}.mmdb.gz")).map(bare)
                };
                Calls { checksum: None, files: vec![of((year, month))?, of(before)?] }
            }
            FetchSource::Url | FetchSource::Mirror => Calls {
                checksum: match &self.checksum_url {
                    Some(url) => {
                        Some(own("checksum_url", url.expose(), self.token_for(url.expose()))?)
                    }
                    None => None,
                },
                files: vec![own("url", self.base.expose(), self.token.as_ref())?],
            },
        })
    }
}

impl Server {
    /// The token goes where the file is, and elsewhere only where the URL says so.
    fn token_for(&self, url: &str) -> Option<&Secret> {
        let host = |url: &str| Some(Url::parse(url).ok()?.origin());
        let is_there =
            url.contains(TOKEN) || host(url).is_some_and(|at| host(self.base.expose()) == Some(at));
        self.token.as_ref().filter(|_| is_there)
    }
}

/// The call of a URL of one's own: with the token where it says so, or in the header.
fn own(key: &'static str, text: &str, token: Option<&Secret>) -> Result<Call, Wrong> {
    let with = |text: &str| checked(key, text);
    match token {
        Some(token) if text.contains(TOKEN) => {
            let escaped: String = url_escaped(token.expose()).collect();
            Ok(Call { url: with(&text.replace(TOKEN, &escaped))?, authorization: None })
        }
        Some(token) => {
            let authorization = Some(Authorization::Bearer(token.clone()));
            Ok(Call { url: with(text)?, authorization })
        }
        None => Ok(Call { url: with(text)?, authorization: None }),
    }
}

/// Every byte that could mean something in a URL as `%XX`.
fn url_escaped(text: &str) -> impl Iterator<Item = String> {
    text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    })
}

fn checked(key: &'static str, text: &str) -> Result<Url, Wrong> {
    let url = Url::parse(text).map_err(|_| (key, "expected a URL such as https://…".to_owned()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err((key, "write the token to `token`, and `{token}` where the URL has it".into()));
    }
    callable(&url).map_err(|error| (key, error.to_string()))?;
    Ok(url)
}

fn server(source: FetchSource, config: &DatabaseConfig) -> Result<Origin, Wrong> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (base, file) = match source {
        FetchSource::Ipinfo => ("https://ipinfo.io", ipinfo_file(&text(&config.file))?),
        FetchSource::Maxmind => ("https://download.maxmind.com", text(&config.edition)),
        FetchSource::Ipgeolocation => ("https://database.ipgeolocation.io", text(&config.file)),
        FetchSource::Dbip => ("https://download.db-ip.com", text(&config.file)),
        FetchSource::Url | FetchSource::Mirror => ("", String::new()),
    };
    let key = if source == FetchSource::Maxmind { "edition" } else { "file" };
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-/".contains(char);
    if !file.chars().all(is_plain) || file.contains("..") {
        return Err((key, "expected a name of letters, digits, `.`, `-`, `_` and `/`".into()));
    }
    let base = match &config.base_url {
        Some(base) => checked("base_url", base.expose()).map(|_| base.clone())?,
        None if source == FetchSource::Url => url_of(config),
        None => UrlText::new(base),
    };
    let server = Server {
        source,
        base,
        file,
        account: text(&config.account),
        token: config.token.clone(),
        checksum_url: config.checksum_url.clone(),
    };
    // So that what cannot be called is said before anything runs.
    server.calls(Day(0))?;
    Ok(Origin::Server(server))
}

fn url_of(config: &DatabaseConfig) -> UrlText {
    config.url.clone().unwrap_or_else(|| UrlText::new(""))
}

fn mirror(config: &DatabaseConfig) -> Result<Origin, Wrong> {
    let file = config.file.clone().unwrap_or_else(|| config.called());
    if file.is_empty() {
        return Err(("file", "is missing: which database of the mirror, by its name there".into()));
    }
    let text = url_of(config).expose().to_owned();
    if !text.contains("://") {
        return Ok(Origin::Folder { path: text.into(), file });
    }
    let text = if text.ends_with('/') { text } else { format!("{text}/") };
    Ok(Origin::Mirror { base: checked("url", &text)?, file, token: config.token.clone() })
}

/// IPinfo offers each set in several forms, of which one is a database.
fn ipinfo_file(file: &str) -> Result<String, Wrong> {
    if file.strip_suffix(".mmdb").is_some() {
        return Ok(file.to_owned());
    }
    let slug = [".csv.gz", ".csv"].into_iter().find_map(|form| file.strip_suffix(form));
    let name = slug.map(|slug| format!("{slug}.mmdb")).or_else(|| mmdb_instead_of(file));
    let name = name.unwrap_or_else(|| format!("{file}.mmdb"));
    Err(("file", format!("is no MMDB file; write {name}")))
}

/// The file that has the same as a database, of one in a form that none is made of: IPinfo offers each
/// set under one name in all forms.
pub fn mmdb_instead_of(file: &str) -> Option<String> {
    let forms = [".json.gz", ".json", ".ndjson.gz", ".ndjson", ".parquet"];
    let slug = forms.into_iter().find_map(|form| file.strip_suffix(form));
    slug.map(|slug| format!("{slug}.mmdb"))
}

/// Keys that are missing, and keys that say nothing here.
fn misplaced(config: &DatabaseConfig) -> Vec<Wrong> {
    use FetchSource::{Dbip, Ipgeolocation, Ipinfo, Maxmind, Mirror, Url};
    let is_url = |url: &Option<UrlText>| url.as_ref().is_some_and(|url| !url.expose().is_empty());
    let is_given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let token = config.token.as_ref().is_some_and(|token| !token.expose().trim().is_empty());
    // The key, whether it is given, who needs it, who may have it.
    let keys: [(&'static str, bool, &[FetchSource], &[FetchSource]); 8] = [
        ("file", is_given(&config.file), &[Ipinfo, Ipgeolocation, Dbip], &[Mirror]),
        ("edition", is_given(&config.edition), &[Maxmind], &[]),
        ("account", is_given(&config.account), &[Maxmind], &[]),
        ("token", token, &[Ipinfo, Maxmind, Ipgeolocation], &[Url, Mirror]),
        ("url", is_url(&config.url), &[Url, Mirror], &[]),
        ("checksum_url", is_url(&config.checksum_url), &[], &[Url]),
        ("base_url", is_url(&config.base_url), &[], &[Ipinfo, Maxmind, Ipgeolocation, Dbip]),
        ("member", is_given(&config.member), &[], &[Maxmind, Ipgeolocation, Dbip, Url]),
    ];
    let mut wrong = Vec::new();
    if config.limit.as_u64() == 0 {
        wrong.push(("limit", "no file is so small; write a size such as 8 GiB".into()));
    }
    let Some(source) = config.source else {
        let further = [
            ("every", config.every.is_some()),
            ("downloads_per_day", config.downloads_per_day.is_some()),
            ("on_missing", config.on_missing.is_some()),
        ];
        let given = keys.iter().map(|(key, given, ..)| (*key, *given)).chain(further);
        for (key, _) in given.filter(|(_, given)| *given) {
            wrong.push((key, "is for files that are fetched; set `source`, or remove it".into()));
        }
        return wrong;
    };
    let name = source.name();
    for (key, given, needed, allowed) in keys {
        if needed.contains(&source) && !given {
            wrong.push((key, format!("is missing: source {name} needs it")));
        } else if given && !needed.contains(&source) && !allowed.contains(&source) {
            wrong.push((key, format!("is of no use with source {name}; remove it")));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Result<Option<Origin>, Vec<Wrong>> {
        Origin::of(&serde_json::from_str(text).unwrap())
    }

    fn calls(text: &str, today: &str) -> (Option<String>, Vec<String>) {
        let Ok(Some(Origin::Server(server))) = origin(text) else { panic!("{text}") };
        let calls = server.calls(today.parse().unwrap()).unwrap();
        let shown = |call: &Call| {
            let with = match &call.authorization {
                None => String::new(),
                Some(Authorization::Bearer(token)) => format!(" bearer {}", token.expose()),
                Some(Authorization::Basic(name, token)) => {
                    format!(" basic {name}:{}", token.expose())
                }
            };
            format!("{}{with}", call.url)
        };
        (calls.checksum.as_ref().map(shown), calls.files.iter().map(shown).collect())
    }

    #[test]
    fn each_vendor_is_asked_as_its_contract_says() {
        let (checksum, files) = calls(
            r#"{"source": "ipinfo", "file": "ipinfo_lite.mmdb", "token": "t"}"#,
            "2026-11-26",
        );
        assert_eq!(checksum.unwrap(), "https://ipinfo.io/data/ipinfo_lite.mmdb/checksums bearer t");
        assert_eq!(files, ["https://ipinfo.io/data/ipinfo_lite.mmdb bearer t"]);
        let (checksum, files) = calls(
            r#"{"source": "maxmind", "edition": "GeoLite2-City", "account": "7", "token": "k"}"#,
            "2026-11-26",
        );
        let path =
            "https://download.maxmind.com/geoip/databases/GeoLite2-City/download?suffix=tar.gz";
        assert_eq!(checksum.unwrap(), format!("{path}.sha256 basic 7:k"));
        assert_eq!(files, [format!("{path} basic 7:k")]);
        let (checksum, files) = calls(
            r#"{"source": "ipgeolocation", "file": "geo-std/ip-city", "token": "a&b"}"#,
            "2026-11-26",
        );
        assert_eq!(checksum, None);
        let path = "https://database.ipgeolocation.io/v2/download/geo-std/ip-city";
        assert_eq!(files, [format!("{path}?format=mmdb&apiKey=a%26b")]);
        let (_, files) = calls(r#"{"source": "dbip", "file": "dbip-city-lite"}"#, "2026-01-02");
        let path = "https://download.db-ip.com/free/dbip-city-lite";
        assert_eq!(files, [format!("{path}-2026-01.mmdb.gz"), format!("{path}-2025-12.mmdb.gz")]);
    }

    #[test]
    fn a_token_goes_where_the_url_has_it_or_into_the_header_and_never_prints() {
        let text = r#"{"source": "url", "url": "https://a.example/x?key={token}", "token": "a&b"}"#;
        assert_eq!(calls(text, "2026-01-01").1, ["https://a.example/x?key=a%26b"]);
        let text = r#"{"source": "url", "url": "https://a.example/x", "token": "s3cret"}"#;
        assert_eq!(calls(text, "2026-01-01").1, ["https://a.example/x bearer s3cret"]);
        assert!(!format!("{:?}", origin(text)).contains("s3cret"));
    }

    #[test]
    fn what_is_wrong_names_its_key_and_what_to_write() {
        let said = |text: &str| {
            let wrong = origin(text).unwrap_err();
            wrong
                .into_iter()
                .map(|(key, text)| format!("{key}: {text}"))
                .collect::<Vec<_>>()
                .join("; ")
        };
        for (text, expected) in [
            (
                r#"{"source": "ipinfo", "file": "ipinfo_lite.json.gz", "token": "t"}"#,
                "file: is no MMDB file; write ipinfo_lite.mmdb",
            ),
            (
                r#"{"source": "ipinfo", "file": "a.mmdb"}"#,
                "token: is missing: source ipinfo needs it",
            ),
            (r#"{"source": "ipinfo", "file": "a.mmdb", "token": " "}"#, "token: is missing"),
            (
                r#"{"source": "maxmind", "token": "k", "file": "a"}"#,
                "file: is of no use with source maxmind; remove it; edition: is missing: source \
                 maxmind needs it; account: is missing",
            ),
            (
                r#"{"source": "url", "url": "http://a.example/x"}"#,
                "url: expected https; http is for",
            ),
            (r#"{"source": "url", "url": "https://169.254.169.254/x"}"#, "url: link-local and"),
            (r#"{"source": "url", "url": "https://u:p@a.example/x"}"#, "url: write the token to"),
            (r#"{"source": "dbip", "file": "../x"}"#, "file: expected a name of letters"),
            (r#"{"source": "mirror", "url": "/mnt/mirror"}"#, "file: is missing: which database"),
            (r#"{"path": "/x", "every": "day"}"#, "every: is for files that are fetched"),
            (r#"{"path": "/x", "token": "t"}"#, "token: is for files that are fetched"),
        ] {
            assert!(said(text).contains(expected), "{text}: {}", said(text));
        }
        assert_eq!(origin(r#"{"path": "/data/city.mmdb"}"#), Ok(None));
    }
}
