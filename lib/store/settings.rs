//! What the environment says of a store: where it is and who asks, by the names that users of `aws`,
//! `gcloud` and `az` know, and those of the crate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::failure::lacking;
use super::profile;
use crate::error::{Error, Result};
use crate::format::objects::ObjectService;

/// The variables of the environment.
pub(super) struct StoreVariables(BTreeMap<String, String>);

/// Who asks a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Nobody in particular: nothing is signed.
    Nobody,
    /// Who has some credentials.
    Somebody,
}

/// Settings of one store, by the crate's names, in small letters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoreSettings {
    pub(super) config: BTreeMap<String, String>,
    pub(super) asker: Asker,
}

/// What else than keys credentials for S3 come from.
const OTHER_CREDENTIALS: [&str; 4] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
];

/// The crate's name for an account of Google's.
const EMULATED: &str = "google_service_account_key";

/// What `az` calls a setting, and the crate.
const AZURE_NAMES: [(&str, &str); 3] = [
    ("azure_storage_account", "azure_storage_account_name"),
    ("azure_storage_key", "azure_storage_account_key"),
    ("azure_storage_sas_token", "azure_storage_sas_key"),
];

/// What a connection string calls a setting, and the crate.
const CONNECTION_NAMES: [(&str, &str); 4] = [
    ("accountname", "azure_storage_account_name"),
    ("accountkey", "azure_storage_account_key"),
    ("sharedaccesssignature", "azure_storage_sas_key"),
    ("blobendpoint", "azure_storage_endpoint"),
];

impl StoreVariables {
    pub(super) fn new(variables: Vec<(String, String)>) -> StoreVariables {
        StoreVariables(variables.into_iter().collect())
    }

    /// A variable, if it is set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn says(&self, name: &str) -> bool {
        let yes = ["true", "1", "yes", "y", "on"];
        self.get(name).is_some_and(|value| yes.contains(&value.to_ascii_lowercase().as_str()))
    }

    /// Those of a service.
    ///
    /// # Errors
    /// `Usage` when nothing says who asks, or something that is said cannot be used.
    pub(super) fn of(&self, service: ObjectService) -> Result<StoreSettings> {
        let (mut config, skip) = match service {
            ObjectService::S3 => (self.of_s3()?, "AWS_SKIP_SIGNATURE"),
            ObjectService::Gs => (self.of_gs(), "GOOGLE_SKIP_SIGNATURE"),
            ObjectService::Az => (self.of_az()?, "AZURE_SKIP_SIGNATURE"),
        };
        if config.values().any(|value| value.contains("http://")) {
            config.insert("allow_http".into(), "true".into());
        }
        let emulated = service == ObjectService::Gs && config.contains_key(EMULATED);
        let anonymous = self.says(skip) || emulated;
        let asker = if anonymous { Asker::Nobody } else { Asker::Somebody };
        Ok(StoreSettings { config, asker })
    }

    /// The variables that begin with `prefix`, in small letters.
    fn beginning(&self, prefix: &str) -> BTreeMap<String, String> {
        let of_prefix = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        of_prefix.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
    }

    fn of_s3(&self) -> Result<BTreeMap<String, String>> {
        let mut config = self.beginning("AWS_");
        let has_keys = self.get("AWS_ACCESS_KEY_ID").is_some();
        let has_credentials =
            has_keys || OTHER_CREDENTIALS.iter().any(|name| self.get(name).is_some());
        let home = PathBuf::from(self.get("HOME").unwrap_or("/")).join(".aws");
        let file =
            |variable, name| self.get(variable).map_or_else(|| home.join(name), PathBuf::from);
        let files =
            (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), file("AWS_CONFIG_FILE", "config"));
        let profile = self.get("AWS_PROFILE").or_else(|| self.get("AWS_DEFAULT_PROFILE"));
        let given = profile::read(profile, (&files.0, &files.1), has_credentials)?;
        for (variable, value) in given {
            let has_region = variable == "AWS_REGION" && config.contains_key("aws_default_region");
            if !has_region {
                config.entry(variable.to_ascii_lowercase()).or_insert(value);
            }
        }
        let knows = has_credentials || config.contains_key("aws_access_key_id");
        if !knows && self.says("AWS_EC2_METADATA_DISABLED") {
            return Err(Error::usage(lacking(ObjectService::S3)));
        }
        Ok(config)
    }

    fn of_gs(&self) -> BTreeMap<String, String> {
        let mut config = self.beginning("GOOGLE_");
        // Google's own programs take it for a server that asks nobody who he is.
        if let Some(host) = self.get("STORAGE_EMULATOR_HOST") {
            let url = if host.contains("://") { host.into() } else { format!("http://{host}") };
            // An account that nobody is asked about: anonymous requests of the crate can only read.
            let account = serde_json::json!({
                "private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": true,
                "gcs_base_url": url.trim_end_matches('/'),
            });
            config.insert(EMULATED.into(), account.to_string());
        }
        config
    }

    fn of_az(&self) -> Result<BTreeMap<String, String>> {
        let mut config = self.beginning("AZURE_");
        if let Some(words) = config.remove("azure_storage_connection_string") {
            for word in words.split(';').filter(|word| !word.trim().is_empty()) {
                let Some((name, value)) = word.split_once('=') else {
                    let why = "AZURE_STORAGE_CONNECTION_STRING: each part of it is NAME=VALUE";
                    return Err(Error::usage(why));
                };
                let name = name.trim().to_ascii_lowercase();
                let known = CONNECTION_NAMES.iter().find(|(known, _)| *known == name);
                if let Some((_, known)) = known {
                    config.entry((*known).into()).or_insert_with(|| value.trim().into());
                }
            }
        }
        for (name, known) in AZURE_NAMES {
            if let Some(value) = config.remove(name) {
                config.entry(known.into()).or_insert(value);
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(service: ObjectService, variables: &[(&str, &str)]) -> Result<StoreSettings> {
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let nowhere = ("HOME".to_string(), "/nowhere/at/all".to_string());
        StoreVariables::new(variables.chain([nowhere]).collect()).of(service)
    }

    #[test]
    fn the_names_that_users_know_become_those_of_the_crate() {
        let s3 = of(
            ObjectService::S3,
            &[("AWS_ACCESS_KEY_ID", "a"), ("AWS_ENDPOINT_URL", "http://h:1"), ("GOOGLE_X", "y")],
        )
        .unwrap();
        assert_eq!((s3.config["aws_access_key_id"].as_str(), s3.asker), ("a", Asker::Somebody));
        assert_eq!((s3.config["allow_http"].as_str(), s3.config.len()), ("true", 3));
        let gs = of(ObjectService::Gs, &[("STORAGE_EMULATOR_HOST", "h:1/")]).unwrap();
        assert!(gs.config[EMULATED].contains("\"gcs_base_url\":\"http://h:1\""), "{gs:?}");
        assert_eq!(gs.asker, Asker::Nobody);
        let string = "DefaultEndpointsProtocol=http;AccountName=n;AccountKey=k==;\
             BlobEndpoint=http://h:1/n;";
        let az = of(ObjectService::Az, &[("AZURE_STORAGE_CONNECTION_STRING", string)]).unwrap();
        assert_eq!(az.config["azure_storage_account_key"], "k==");
        assert_eq!(az.config["azure_storage_endpoint"], "http://h:1/n");
        let az =
            of(ObjectService::Az, &[("AZURE_STORAGE_ACCOUNT", "n"), ("AZURE_STORAGE_KEY", "k")]);
        assert_eq!(az.unwrap().config["azure_storage_account_name"], "n");
    }

    #[test]
    fn where_nothing_says_who_asks_that_is_said() {
        let off = ("AWS_EC2_METADATA_DISABLED", "true");
        let error = of(ObjectService::S3, &[off]).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("no credentials"), "{error}");
        let anonymous = of(ObjectService::S3, &[off, ("AWS_SKIP_SIGNATURE", "true")]).unwrap();
        assert_eq!(anonymous.asker, Asker::Nobody);
    }
}
