//! Envelopes: several events in one record, each stamped by itself.

use super::{Copied, Stamp, Stamper, is_touched, outcome};
use crate::record::{Outcome, Reason, Sighting};

impl Stamper {
    /// Stamps each event of an envelope by itself. What is not stamped stays as it is.
    pub(super) fn stamp_envelope(
        &mut self,
        nth: usize,
        event: &[u8],
        failed: Option<Reason>,
    ) -> Stamp {
        if self.is_beside {
            return self.stamp_beside_envelope(nth, event, failed);
        }
        let Self { read, encoder, resolver, envelope, .. } = self;
        let read = &read[nth];
        let (before, event) = event.split_at(read.opened.json_from());
        envelope.clear();
        envelope.extend_from_slice(before);
        let (mut copied, mut whole) = (0, Outcome::Enriched);
        for (part, answers) in read.findings.parts().iter().zip(&read.answers) {
            if !is_touched(&part.outline, answers, self.hides) {
                continue;
            }
            let failed = failed.filter(|_| answers.iter().any(|answer| !answer.missing.is_empty()));
            let outcome = outcome(&part.outline, answers, failed);
            if matches!((whole, outcome), (Outcome::Enriched, Outcome::Partial(_))) {
                whole = outcome;
            }
            let (start, end) = (part.span.start as usize, part.span.end as usize);
            let element = &event[start..end];
            envelope.extend_from_slice(&event[copied..start]);
            let len = encoder.plan(element, &part.outline, answers, resolver, outcome);
            let begin = envelope.len();
            envelope.resize(begin + len, 0);
            encoder.write(element, &mut envelope[begin..]);
            copied = end;
        }
        envelope.extend_from_slice(&event[copied..]);
        self.copy = Copied::Envelope;
        Stamp::Written { len: self.envelope.len(), outcome: whole }
    }

    /// Beside an envelope stands what is known of all events in it.
    fn stamp_beside_envelope(&mut self, nth: usize, event: &[u8], failed: Option<Reason>) -> Stamp {
        let (outline, answers) = &mut self.joined;
        outline.clear();
        answers.clear();
        for (part, of_part) in self.read[nth].answered() {
            let before = u16::try_from(outline.places.len()).unwrap_or(u16::MAX);
            outline.places.append(&part.places);
            outline.sightings.extend(part.sightings.iter().map(|sighting| {
                // Those that were found at no path have a number in their own event.
                let is_path = usize::from(sighting.path) < self.paths;
                let path =
                    if is_path { sighting.path } else { sighting.path.saturating_add(before) };
                Sighting { path, ..*sighting }
            }));
            outline.left_out += part.left_out;
            answers.extend_from_slice(of_part);
        }
        let outcome = outcome(outline, answers, failed);
        let len = self.encoder.plan(event, outline, answers, &mut self.resolver, outcome);
        self.copy = Copied::Planned;
        Stamp::Written { len, outcome }
    }
}
