//! How a record ends.

/// How a record ends. Each record has exactly one outcome, and it is counted once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Everything wanted is known of every address that was to be looked up.
    Enriched,
    /// Something wanted is missing, and why.
    Partial(Reason),
    /// Published as it came: no address to look up, or it could not be read.
    Unchanged(Option<Reason>),
    /// It stands in the dead-letter topic.
    DeadLettered(DeadLetterClass),
    /// Dropped because the configuration says so.
    Dropped(Reason),
}

impl Outcome {
    /// The label in metrics and in the event.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enriched => "enriched",
            Self::Partial(_) => "partial",
            Self::Unchanged(_) => "unchanged",
            Self::DeadLettered(_) => "dead_lettered",
            Self::Dropped(_) => "dropped",
        }
    }

    /// Whether this is what `name` or `why` says of some outcome.
    pub fn is_name(word: &str) -> bool {
        let names = ["enriched", "partial", "unchanged", "dead_lettered", "dropped"];
        names.contains(&word)
            || Reason::ALL.iter().any(|reason| reason.name() == word)
            || DeadLetterClass::ALL.iter().any(|class| class.name() == word)
    }

    /// Why, where there is a reason.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Partial(reason) | Self::Dropped(reason) => Some(reason),
            Self::Unchanged(reason) => reason,
            Self::Enriched | Self::DeadLettered(_) => None,
        }
    }

    /// The name of the reason or the class; empty where there is neither.
    pub const fn why(self) -> &'static str {
        match (self, self.reason()) {
            (Self::DeadLettered(class), _) => class.name(),
            (_, Some(reason)) => reason.name(),
            (_, None) => "",
        }
    }
}

/// Why an outcome is not `enriched`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No source knows the address.
    NotFound,
    /// The answer did not come before the record's deadline.
    Deadline,
    /// The provider's pace could not have answered in time.
    Pace,
    /// The budget is spent.
    Budget,
    /// The ledger of the budgets does not say whether anything may be spent.
    Ledger,
    /// The provider is not asked, because it failed too often.
    Breaker,
    /// The provider answered with an error.
    ProviderError,
    /// The provider's credential or module was refused.
    Disabled,
    /// The partition was handed over, or the process stops, before the answer came.
    Handover,
    /// The event is not valid JSON.
    Unparsable,
    /// The event is nested deeper than the limit.
    TooDeep,
    /// The event is larger than the limit for reading it.
    TooLarge,
    /// The enriched event would not fit into the output topic, so it went out without its stamp.
    OutputLimit,
    /// The broker refuses the record.
    Rejected,
    /// The record has more addresses than the limit; those beyond it were not looked at.
    AddressLimit,
    /// No tenant is known whose record it is, and the configuration sends such to the dead letters.
    UnknownTenant,
    /// The schema that the record is written by cannot be had, or cannot be used.
    Schema,
    /// The event is in a format that nothing is looked for in: Protobuf.
    Opaque,
    /// A fault of ipstamp itself on this record.
    Internal,
}

impl Reason {
    /// All reasons, for metrics that are declared once.
    pub const ALL: [Self; 19] = [
        Self::NotFound,
        Self::Deadline,
        Self::Pace,
        Self::Budget,
        Self::Ledger,
        Self::Breaker,
        Self::ProviderError,
        Self::Disabled,
        Self::Handover,
        Self::Unparsable,
        Self::TooDeep,
        Self::TooLarge,
        Self::OutputLimit,
        Self::Rejected,
        Self::AddressLimit,
        Self::UnknownTenant,
        Self::Schema,
        Self::Opaque,
        Self::Internal,
    ];

    /// The label in metrics, headers and in the event.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Deadline => "deadline",
            Self::Pace => "pace",
            Self::Budget => "budget",
            Self::Ledger => "ledger",
            Self::Breaker => "breaker",
            Self::ProviderError => "provider_error",
            Self::Disabled => "disabled",
            Self::Handover => "handover",
            Self::Unparsable => "unparsable",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::OutputLimit => "output_limit",
            Self::Rejected => "rejected",
            Self::AddressLimit => "address_limit",
            Self::UnknownTenant => "unknown_tenant",
            Self::Schema => "schema",
            Self::Opaque => "opaque",
            Self::Internal => "internal",
        }
    }
}

/// Why a record is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeadLetterClass {
    /// The event could not be read, and the configuration sends such to the dead letters.
    Unparsable,
    /// Even the original does not fit into the output topic.
    TooLarge,
    /// A record without a key for a compacted topic.
    NullKey,
    /// The broker refuses the record when it stands alone.
    Rejected,
    /// No tenant is known whose record it is.
    UnknownTenant,
}

impl DeadLetterClass {
    /// All classes, for metrics that are declared once.
    pub const ALL: [Self; 5] =
        [Self::Unparsable, Self::TooLarge, Self::NullKey, Self::Rejected, Self::UnknownTenant];

    /// The label in metrics and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unparsable => "unparsable",
            Self::TooLarge => "too_large",
            Self::NullKey => "null_key",
            Self::Rejected => "rejected",
            Self::UnknownTenant => "unknown_tenant",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_outcome_says_of_itself_is_a_name_of_one() {
        let reason = Reason::Budget;
        for outcome in [
            Outcome::Enriched,
            Outcome::Partial(reason),
            Outcome::Unchanged(None),
            Outcome::DeadLettered(DeadLetterClass::NullKey),
            Outcome::Dropped(reason),
        ] {
            assert!(Outcome::is_name(outcome.name()), "{outcome:?}");
            assert!(outcome.why().is_empty() || Outcome::is_name(outcome.why()), "{outcome:?}");
        }
        assert!(!Outcome::is_name("") && !Outcome::is_name("budgets"));
    }
}
