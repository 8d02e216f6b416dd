//! Budgets that several name: what each is called, and who may have one in common. Units of two vendors
//! make no sum, wherever the two stand: in one file, in two tenants' files, or in the main configuration
//! and a tenant's file.

use super::error::Problem;
use crate::resolve::budget::{BudgetConfig, Limits};
use crate::resolve::provider::{Licence, ProvidersConfig};
use crate::tenant::TenantName;

/// What a licence's budget is called in the ledger. Tenants' names keep theirs apart.
pub fn budget_name(licence: &Licence<'_>, tenant: Option<&TenantName>) -> String {
    let given = licence.budget.and_then(BudgetConfig::licence);
    match (given, tenant) {
        (None, Some(tenant)) => format!("{tenant}/{}", licence.name),
        (given, _) => given.unwrap_or(licence.name).to_owned(),
    }
}

/// A licence with a limit, and whose it is.
#[derive(Clone, Debug)]
pub struct LimitedLicence {
    /// What its budget is called.
    pub budget: String,
    /// How much may be spent.
    pub limits: Limits,
    /// Where its budget is written.
    key: Vec<String>,
    /// In whose file; none: in the main configuration.
    pub tenant: Option<TenantName>,
    provider: String,
    /// A service of one's own: several of one vendor may have one subscription.
    is_own: bool,
    names_it: bool,
}

/// Those among these providers, which are this tenant's or the main configuration's.
pub fn limited_licences(
    providers: &ProvidersConfig,
    tenant: Option<&TenantName>,
) -> Vec<LimitedLicence> {
    let licences = providers.licences().into_iter().flatten();
    let limited = licences.filter_map(|licence| {
        let config = licence.budget?;
        let key = licence.key.split('.').map(str::to_owned);
        Some(LimitedLicence {
            budget: budget_name(&licence, tenant),
            limits: config.limits()?,
            key: key.chain(["budget".to_owned()]).collect(),
            tenant: tenant.cloned(),
            provider: licence.name.to_owned(),
            is_own: providers.generic.contains_key(licence.name),
            names_it: config.licence().is_some(),
        })
    });
    limited.collect()
}

/// What is wrong with the budgets of one file, each beside those of the same file and beside those of
/// `others`, among which may be what the same tenant had before.
pub(super) fn shared<'o>(
    own: &'o [LimitedLicence],
    others: &(impl Iterator<Item = &'o LimitedLicence> + Clone),
) -> Vec<Problem> {
    let clash = |(at, one): (usize, &'o LimitedLicence)| {
        let others = others.clone().filter(|other| other.tenant != one.tenant);
        own[..at].iter().chain(others).find_map(|other| one.beside(other))
    };
    own.iter().enumerate().filter_map(clash).collect()
}

impl LimitedLicence {
    /// What is wrong when both have the same budget.
    fn beside(&self, other: &Self) -> Option<Problem> {
        if self.budget != other.budget {
            return None;
        }
        let one_file = self.tenant == other.tenant;
        if self.provider != other.provider && !(self.is_own && other.is_own) {
            // Of two in one file it is said where the name was chosen.
            let (named, with) =
                if self.names_it || !one_file { (self, other) } else { (other, self) };
            let message = format!(
                "{} has the same, and each bills in units of its own; give each an id of its own",
                with.place(one_file)
            );
            return Some(named.problem(named.names_it.then_some("licence"), message));
        }
        let months = [self, other].map(|of| of.limits.month.map(|_| of.limits.resets_on));
        if let [Some(own), Some(others)] = months
            && own != others
        {
            let message = format!(
                "{} has the same budget, and its month begins on day {others}; write the same day in \
                 both",
                other.place(one_file)
            );
            return Some(self.problem(Some("resets_on"), message));
        }
        None
    }

    fn problem(&self, below: Option<&str>, message: String) -> Problem {
        let key: Vec<&str> = self.key.iter().map(String::as_str).chain(below).collect();
        Problem::with(&key, message)
    }

    /// Where it is written, for who reads a file of the same tenant or of another.
    fn place(&self, in_this_file: bool) -> String {
        let key = self.key.join(".");
        match &self.tenant {
            _ if in_this_file => key,
            Some(tenant) => format!("{key} of tenant {tenant}"),
            None => format!("{key} of the main configuration"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(yaml: &str, tenant: Option<&str>) -> Vec<LimitedLicence> {
        let tree = crate::config::tree::parse(yaml).ok().unwrap();
        let providers: ProvidersConfig = crate::config::typed::read(&tree).ok().unwrap();
        limited_licences(&providers, tenant.map(|name| TenantName::new(name).unwrap()).as_ref())
    }

    fn said(own: &[LimitedLicence], others: &[LimitedLicence]) -> String {
        let said: Vec<_> = shared(own, &others.iter()).iter().map(ToString::to_string).collect();
        said.join("\n")
    }

    const OWN: &str = "{url: 'http://127.0.0.1/{ip}', fields: {geo.city_name: /city}";

    #[test]
    fn a_budget_of_two_vendors_is_refused_wherever_they_stand() {
        let ipinfo = "ipinfo: {token: t, budget: {day: 5, licence: x}}";
        let ipbot = "ipbot: {budget: {day: 9, licence: x}}";
        let (acme, globex) = (limited(ipinfo, Some("acme")), limited(ipbot, Some("globex")));
        let of_acme = "providers.ipbot.budget.licence: providers.ipinfo.budget of tenant acme has \
                       the same, and each bills in units of its own; give each an id of its own";
        assert_eq!(said(&globex, &acme), of_acme);
        assert_eq!(
            said(&globex, &limited(ipinfo, None)),
            of_acme.replace("tenant acme", "the main configuration")
        );
        // The name that another has without choosing it.
        let taken = limited("ipbot: {budget: {day: 9, licence: acme/ipinfo}}", Some("globex"));
        let plain = limited("ipinfo: {token: t, budget: {day: 5}}", Some("acme"));
        assert!(
            said(&taken, &plain).starts_with("providers.ipbot.budget.licence: providers.ipinfo")
        );
        assert!(
            said(&plain, &taken).starts_with("providers.ipinfo.budget: providers.ipbot.budget of")
        );
    }

    #[test]
    fn one_vendors_licence_may_be_shared_and_so_may_that_of_services_of_ones_own() {
        let ipinfo = |day: u64| format!("ipinfo: {{token: t, budget: {{day: {day}, licence: x}}}}");
        let [acme, globex] =
            [("acme", 5), ("globex", 9)].map(|(tenant, day)| limited(&ipinfo(day), Some(tenant)));
        assert_eq!(said(&globex, &acme), "");
        let own =
            |name: &str| format!("generic: {{{name}: {OWN}, budget: {{day: 5, licence: x}}}}}}");
        let [own, other] = ["one", "two"].map(|name| limited(&own(name), Some(name)));
        assert_eq!((own.len(), said(&own, &other)), (1, String::new()));
        assert_ne!(said(&own, &acme), "");
        // Without a choice each tenant's is his own, whatever is called so elsewhere.
        let plain = limited("ipinfo: {token: t, budget: {day: 5}}", Some("acme"));
        assert_eq!(said(&plain, &limited("ipbot: {budget: {day: 9, licence: ipinfo}}", None)), "");
    }

    #[test]
    fn one_budget_has_one_billing_day() {
        let month = |day: u8| {
            format!("ipinfo: {{token: t, budget: {{month: 50, resets_on: {day}, licence: x}}}}")
        };
        let [acme, globex] =
            [("acme", 5), ("globex", 9)].map(|(tenant, day)| limited(&month(day), Some(tenant)));
        assert_eq!(
            said(&globex, &acme),
            "providers.ipinfo.budget.resets_on: providers.ipinfo.budget of tenant acme has the same \
             budget, and its month begins on day 5; write the same day in both"
        );
        assert_eq!(said(&globex, &limited(&month(9), None)), "");
    }
}
