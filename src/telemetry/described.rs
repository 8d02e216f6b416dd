//! Every metric, declared once: its name, and when to look at it.

/// A name and when to look at it, for the README's table.
type Described = (&'static str, &'static str);

/// All metrics, as they appear on `/metrics`.
pub const METRICS: &[Described] = &[
    ("ipstamp_build_info", "The running version."),
    ("ipstamp_records_consumed_total", "Records read from the input topics."),
    ("ipstamp_records_total", "Records that came to their end, by outcome and reason."),
    ("ipstamp_bytes_consumed_total", "Bytes of the values read."),
    ("ipstamp_bytes_published_total", "Bytes of the values handed to the producer."),
    ("ipstamp_sightings_total", "Addresses found, by role."),
    ("ipstamp_values_unreadable_total", "Values at configured paths that are no address."),
    ("ipstamp_addresses_left_out_total", "Addresses beyond the limit per record."),
    (
        "ipstamp_records_sent_again_total",
        "Records that were not taken at first. The only case in which a partition's order can break.",
    ),
    ("ipstamp_records_in_flight", "Records read and not yet acknowledged."),
    (
        "ipstamp_records_waiting",
        "Of these, records that wait for an answer or behind one that does.",
    ),
    ("ipstamp_assigned_partitions", "Partitions that this process reads."),
    (
        "ipstamp_paused_partitions",
        "Of these, partitions that are paused because something is full or blocked.",
    ),
    ("ipstamp_halted_partitions", "Partitions that wait for a person: look at the log."),
    (
        "ipstamp_stalled_partitions",
        "Partitions that have records to read and have not moved for a minute.",
    ),
    (
        "ipstamp_window_used_ratio",
        "How much of its window the fullest partition has under way. At 1 it is paused or waits for the brokers.",
    ),
    (
        "ipstamp_unreadable_total",
        "Tries at something in a partition that cannot be read: look at the log.",
    ),
    ("ipstamp_consumer_lag_records", "Records not yet committed, by topic and partition."),
    (
        "ipstamp_consumer_lag_seconds",
        "Age of the first record not yet committed, by topic and partition: by its own timestamp once it was read, until then how long nothing has moved.",
    ),
    ("ipstamp_oldest_in_flight_seconds", "Age of the oldest record that is not acknowledged."),
    ("ipstamp_rebalances_total", "Changes of the assignment, by kind."),
    ("ipstamp_commits_total", "Commits, by result."),
    ("ipstamp_producers_replaced_total", "Producers that had to be made anew."),
    ("ipstamp_kafka_errors_total", "Errors reported by the Kafka clients, by code."),
    (
        "process_start_time_seconds",
        "When the process began. It changes at each restart, also where a crash ends it at once.",
    ),
    (
        "ipstamp_trace_spans_dropped_total",
        "Spans that found the queue to the collector full. Records are not held up by it.",
    ),
    ("ipstamp_database_build_timestamp_seconds", "When each database was built."),
    ("ipstamp_database_age_seconds", "How long ago each database was built."),
    ("ipstamp_database_expires_timestamp_seconds", "When each database becomes stale."),
    (
        "ipstamp_database_generation",
        "1 for the generation of each database that is in force, by the beginning of its SHA-256.",
    ),
    ("ipstamp_database_swaps_total", "Generations put in force since the start."),
    (
        "ipstamp_database_refusals_total",
        "Files that were not put in force, by reason: gone, not_mmdb, damaged, older, canary … The log has the remedy.",
    ),
    (
        "ipstamp_database_fetches_total",
        "Looks at the sources of databases, by result: fetched, current, refused (it was not put in force), failed.",
    ),
    (
        "ipstamp_database_looked_timestamp_seconds",
        "When each fetched database was last known to be the newest that its source has.",
    ),
    (
        "ipstamp_database_broken_total",
        "Lookups that met a broken place of a database file, and so went without its answer.",
    ),
    (
        "ipstamp_database_lookups_total",
        "Questions to each database, by result: hit, unknown (it has the last word, and knows nothing), miss. An address that was seen lately asks none.",
    ),
    (
        "ipstamp_offsets_lost_total",
        "Committed offsets that were no longer there: records were deleted unread.",
    ),
    (
        "ipstamp_budget_limit_units",
        "What may be spent with each licence, by period, in the provider's billing unit.",
    ),
    (
        "ipstamp_budget_used_units",
        "Of that, what all processes together have claimed. At the limit records are partial.",
    ),
    (
        "ipstamp_budget_mark_ratio",
        "The highest mark that is reached in the present period: 0, 0.5, 0.8, 0.95 or 1. The log has a line at each.",
    ),
    (
        "ipstamp_budget_gone_timestamp_seconds",
        "When nothing will be left at the pace of the last hour; 0 when it lasts.",
    ),
    (
        "ipstamp_ledger_unavailable",
        "1 while the ledger of the budgets cannot be used, so that nothing is bought with a licence that has a limit.",
    ),
    ("ipstamp_cache_entries", "Addresses of which answers of providers are kept."),
    ("ipstamp_cache_bytes", "Memory that these answers are reckoned to use."),
    (
        "ipstamp_cache_lookups_total",
        "Questions to the cache, by result: hit, unknown (asked, nothing known), stale, miss.",
    ),
    (
        "ipstamp_answers_total",
        "Records of the answers topic, by result: read, known (here already), foreign (another scope), cleared, damaged, version (of a form that is not known here), written, lost.",
    ),
    (
        "ipstamp_late_total",
        "Late answers for records that had left, by result: sent, lost (not taken by the brokers), dropped (no room to remember the record), unanswered.",
    ),
    (
        "ipstamp_provider_requests_total",
        "Requests to each provider, by HTTP status or what failed.",
    ),
    (
        "ipstamp_provider_request_timestamp_seconds",
        "When the last request to each provider ended, by HTTP status or what failed.",
    ),
    ("ipstamp_provider_request_duration_seconds", "From sending to the last byte of the reply."),
    ("ipstamp_provider_addresses_total", "Addresses asked for. Each is paid for."),
    (
        "ipstamp_provider_answers_total",
        "Addresses of which a provider's reply said something, by result: hit, unknown (nothing of what was asked).",
    ),
    (
        "ipstamp_provider_batch_size",
        "Addresses per request. Under load it ought to be hundreds, where the plan has bulk.",
    ),
    ("ipstamp_provider_batch_wait_seconds", "From an address's queueing to its request."),
    ("ipstamp_provider_quota_remaining", "What is left by the provider's own count."),
    (
        "ipstamp_provider_breaker_state",
        "0 closed, 1 half open, 2 open: the provider fails and is left alone.",
    ),
    ("ipstamp_provider_refused", "1 while the provider refuses the token."),
    (
        "ipstamp_questions_refused_total",
        "Addresses that no provider was waited for, by reason: pace, budget, ledger, breaker, disabled …",
    ),
    (
        "ipstamp_schema_questions_total",
        "Schemas that the registry was asked for, by result: ok, not_found, refused, connect, timeout …",
    ),
    (
        "ipstamp_tenant_records_total",
        "Records read, by tenant; `unknown` where none is known, `other` beyond tenants.max_labels.",
    ),
    ("ipstamp_tenants", "Tenants that are served."),
    (
        "ipstamp_tenant_files_refused",
        "Files of tenants that cannot be used: look at the log. Who was served before still is.",
    ),
];
