//! The profiles of `~/.aws`: keys, the region and the endpoint that `aws` would take from there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// The profile where none is named.
const DEFAULT: &str = "default";

/// What is taken from a profile, and the variable that stands for it.
const TAKEN: [(&str, &str); 5] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
    ("region", "AWS_REGION"),
    ("endpoint_url", "AWS_ENDPOINT_URL"),
];

/// Ways to credentials that only `aws` itself goes.
const OTHER_WAYS: [&str; 5] =
    ["sso_session", "sso_start_url", "credential_process", "source_profile", "credential_source"];

/// Variables that a profile gives.
pub(super) type ProfileVariables = Vec<(&'static str, String)>;

/// Sections, each with its settings.
type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// What a profile gives, of what the files `credentials` and `config` say; `named` is whether its name
/// was given. Credentials are not looked for where the environment has some.
///
/// # Errors
/// `Usage` when a profile that was named is in neither, and when only `aws` can get its credentials.
pub(super) fn read(
    name: Option<&str>,
    (credentials, config): (&Path, &Path),
    has_credentials: bool,
) -> Result<ProfileVariables> {
    let asked = name.unwrap_or(DEFAULT);
    let of_credentials = sections(credentials)?.remove(asked);
    let mut of_config = sections(config)?;
    let of_config = match asked {
        DEFAULT => of_config.remove(DEFAULT).or_else(|| of_config.remove("profile default")),
        other => of_config.remove(&format!("profile {other}")),
    };
    if let (Some(name), None, None) = (name, &of_credentials, &of_config) {
        return Err(Error::usage(format!(
            "AWS_PROFILE={name}: there is no such profile in {} or {}",
            credentials.display(),
            config.display()
        )));
    }
    // What stands in both is taken from the credentials.
    let mut settings = of_config.unwrap_or_default();
    settings.extend(of_credentials.unwrap_or_default());
    if !has_credentials
        && !settings.contains_key(TAKEN[0].0)
        && let Some(way) = OTHER_WAYS.iter().find(|way| settings.contains_key(**way))
    {
        return Err(Error::usage(format!(
            "the AWS profile '{asked}' gets its credentials by {way}, which only aws can do: eval \
             \"$(aws configure export-credentials --profile {asked} --format env)\""
        )));
    }
    Ok(TAKEN
        .iter()
        .filter(|(setting, _)| !has_credentials || !setting.starts_with("aws_"))
        .filter_map(|(setting, variable)| Some((*variable, settings.remove(*setting)?)))
        .collect())
}

/// The sections of a file; none where there is no file.
fn sections(path: &Path) -> Result<Sections> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(parse(&text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Sections::new()),
        Err(e) => Err(Error::path("read", path, &e)),
    }
}

/// `[name]`, then `setting = value` on a line each. What is indented belongs to the setting above, and
/// none of those is taken.
fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut current = None;
    for line in text.lines() {
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let name =
                name.split_whitespace().collect::<Vec<_>>().join(" ").replace(['"', '\''], "");
            sections.entry(name.clone()).or_default();
            current = Some(name);
        } else if let (Some(section), Some((setting, value))) = (&current, line.split_once('='))
            && let Some(section) = sections.get_mut(section)
        {
            section.insert(setting.trim().to_ascii_lowercase(), value.trim().to_string());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "# of all\n[default]\naws_access_key_id = A\naws_secret_access_key=B=\n\n\
         [work]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n";
    const CONFIG: &str = "[default]\nregion = eu-west-1\ns3 =\n  endpoint_url = http://no\n\
         [profile work]\nendpoint_url=http://h:9000\n[profile sso]\nsso_session=x\nregion=r\n";

    fn of(name: Option<&str>, has_credentials: bool) -> Result<ProfileVariables> {
        let dir = tempfile::tempdir().unwrap();
        let (credentials, config) = (dir.path().join("credentials"), dir.path().join("config"));
        fs::write(&credentials, CREDENTIALS).unwrap();
        fs::write(&config, CONFIG).unwrap();
        read(name, (&credentials, &config), has_credentials)
    }

    #[test]
    fn a_profile_gives_keys_region_and_endpoint() {
        let given = |name, has| {
            let given = of(name, has).unwrap();
            given.iter().map(|(variable, value)| format!("{variable}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(
            given(None, false),
            ["AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=B=", "AWS_REGION=eu-west-1"]
        );
        assert_eq!(given(None, true), ["AWS_REGION=eu-west-1"]);
        assert_eq!(given(Some("work"), false).len(), 4);
        assert_eq!(given(Some("work"), true), ["AWS_ENDPOINT_URL=http://h:9000"]);
        assert_eq!(given(Some("sso"), true), ["AWS_REGION=r"]);
    }

    #[test]
    fn a_profile_that_is_not_there_or_needs_aws_is_refused() {
        for (name, why) in
            [("none", "there is no such profile"), ("sso", "by sso_session, which only")]
        {
            let error = of(Some(name), false).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(why), "{error}");
        }
        let nowhere = Path::new("/nowhere/at/all");
        assert!(read(None, (nowhere, nowhere), false).unwrap().is_empty());
    }
}
