//! `cache clear`: has all processes forget what providers have answered, so that it is asked anew.

use clap::{Args, Subcommand};

use super::output::say;
use super::tenants::tenant_file;
use super::{Exit, Failure, Source};
use crate::config::{Beside, Config, ProcessEnvironment, load_tenant};
use crate::fleet::clear_answers;
use crate::resolve::CacheScope;
use crate::tenant::TenantName;

/// Forget what providers have answered
#[derive(Debug, Args)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Have all processes forget what providers have answered; it is asked and paid for anew
    #[command(after_help = "\
Examples:
  ipstamp cache clear --config ipstamp.yaml                  what the main configuration's answered
  ipstamp cache clear --config ipstamp.yaml --tenant acme    what one tenant's answered

It goes through the topic of answers (cache.topic), which running processes follow.

Exit codes: 0 done, 69 the brokers do not take it, 78 there is no such topic configured")]
    Clear {
        /// What this tenant's providers have answered, and nobody else's
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
}

/// Does it.
pub(super) fn cache(source: &Source, args: &CacheArgs) -> Result<Exit, Failure> {
    let What::Clear { tenant } = &args.what;
    let config = Config::from(source.load()?);
    let Some(topic) = &config.cache.topic else {
        let text = "no topic of answers is configured (cache.topic), so each process keeps answers in \
                    its own memory only: restart the processes, and they have forgotten them";
        return Err(Failure::new(Exit::Config, text));
    };
    let scope = match tenant {
        None => CacheScope::SHARED_NAME.to_owned(),
        Some(name) => scope_of(&config, name)?,
    };
    clear_answers(&config.kafka.client(), topic, &scope)
        .map_err(|error| Failure::new(Exit::Unavailable, error))?;
    say(&format!(
        "answers of the scope {scope} up to now are forgotten: by processes that run as soon as they \
         read {topic}, and by those that start later"
    ));
    Ok(Exit::Done)
}

/// The tenant's own scope. He may have no file any more.
fn scope_of(config: &Config, name: &str) -> Result<String, Failure> {
    let usage = |text: &str| Failure::new(Exit::Usage, text);
    let tenant = TenantName::new(name).map_err(usage)?;
    let path = match tenant_file(config, name) {
        Ok(path) => path,
        Err(why) => {
            say(&format!("{why}; if the name is misspelt, nothing is forgotten by this"));
            return Ok(tenant.scope());
        }
    };
    if load_tenant(&tenant, &path, &ProcessEnvironment, Beside::main(config))
        .is_ok_and(|file| file.cache.share)
    {
        return Err(usage(
            "this tenant shares answers with others (cache.share), so none are his alone; without \
             --tenant all that is shared is forgotten",
        ));
    }
    Ok(tenant.scope())
}
