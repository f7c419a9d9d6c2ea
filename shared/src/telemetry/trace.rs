//! One trace from the merchant's request to the acquirer's answer (W3C Trace Context).

use std::fmt;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::clock::Random;

/// Where we are in a trace: what `traceparent` carries over HTTP and AMQP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Names the whole journey. Never all zeros.
    pub trace_id: [u8; 16],
    /// Names the step that is calling. Never all zeros.
    pub span_id: [u8; 8],
    /// Whether the caller records this trace.
    pub sampled: bool,
}

impl TraceContext {
    /// The header and the AMQP header it travels in.
    pub const HEADER: &str = "traceparent";

    /// The first step of a new trace.
    #[must_use]
    pub fn start(random: &dyn Random) -> Self {
        Self { trace_id: nonzero(random), span_id: nonzero(random), sampled: true }
    }

    /// Reads a `traceparent`; nothing when it is malformed, in which case a new trace is started.
    ///
    /// A version later than ours may add fields after the flags, and is read as far as we know it.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (version, rest) = header.trim().split_at_checked(2)?;
        let [version] = hex::<1>(version)?;
        let fields = rest.strip_prefix('-')?;
        let (known, more) = fields.split_at_checked(52)?;
        let allowed = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more.starts_with('-'),
        };
        let mut parts = known.split('-');
        let trace_id = hex::<16>(parts.next()?)?;
        let span_id = hex::<8>(parts.next()?)?;
        let [flags] = hex::<1>(parts.next()?)?;
        let meaningful = trace_id != [0; 16] && span_id != [0; 8];
        (allowed && meaningful).then_some(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }

    /// What the header says, or the first step of a new trace.
    #[must_use]
    pub fn continue_or_start(header: Option<&str>, random: &dyn Random) -> Self {
        header.and_then(Self::parse).unwrap_or_else(|| Self::start(random))
    }

    /// The next step of the same trace.
    #[must_use]
    pub fn step(self, random: &dyn Random) -> Self {
        Self { span_id: nonzero(random), ..self }
    }

    /// The value of `traceparent`.
    #[must_use]
    pub fn to_header(self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_hex(), Hex(&self.span_id), u8::from(self.sampled))
    }

    /// The trace id as 32 hexadecimal digits, as logs, problems and events show it.
    #[must_use]
    pub fn trace_hex(self) -> String {
        Hex(&self.trace_id).to_string()
    }

    /// The trace, a dash, and the step in it: 32 and 16 hexadecimal digits. A caller may choose the first; of a step of ours
    /// nobody but us chooses the second.
    #[must_use]
    pub fn request_hex(self) -> String {
        format!("{}-{}", self.trace_hex(), Hex(&self.span_id))
    }

    /// Makes `span` continue this trace where traces are exported, and shows the id in its log lines when the span
    /// has an empty field `trace_id`.
    pub fn attach(self, span: &Span) {
        span.record("trace_id", tracing::field::display(Hex(&self.trace_id)));
        let remote = SpanContext::new(
            TraceId::from_bytes(self.trace_id),
            SpanId::from_bytes(self.span_id),
            TraceFlags::new(u8::from(self.sampled)),
            true,
            TraceState::default(),
        );
        let parent = opentelemetry::Context::new().with_remote_span_context(remote);
        // Refused only when the span is not exported or has already begun: then there is nothing to continue.
        let _ = span.set_parent(parent);
    }

    /// What to send to the next program from inside `span`: the exported span when there is one, else a new step.
    #[must_use]
    pub fn outgoing(self, span: &Span, random: &dyn Random) -> Self {
        let context = span.context();
        let exported = context.span().span_context().clone();
        if exported.is_valid() && exported.trace_id().to_bytes() == self.trace_id {
            Self { span_id: exported.span_id().to_bytes(), sampled: exported.is_sampled(), ..self }
        } else {
            self.step(random)
        }
    }
}

/// Random bytes that are not all zeros, as trace and span ids must be.
fn nonzero<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    if bytes == [0; N] {
        bytes[N - 1] = 1;
    }
    bytes
}

/// Exactly `N` bytes of lower case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Zeros;
    impl Random for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    const KNOWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_header_of_the_recommendation_is_read_and_written() {
        let context = TraceContext::parse(KNOWN).unwrap();
        assert_eq!(context.trace_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(context.sampled);
        assert_eq!(context.to_header(), KNOWN);
    }

    #[test]
    fn malformed_headers_start_a_new_trace() {
        for header in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        ] {
            assert_eq!(TraceContext::parse(header), None, "{header}");
        }
        assert!(TraceContext::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
        let new = TraceContext::continue_or_start(Some("nonsense"), &Zeros);
        assert_eq!(TraceContext::parse(&new.to_header()), Some(new), "even without dice the ids are valid");
    }

    #[test]
    fn without_export_the_next_step_keeps_the_trace() {
        let context = TraceContext::parse(KNOWN).unwrap();
        let next = context.outgoing(&Span::none(), &Zeros);
        assert_eq!(next.trace_id, context.trace_id);
        assert_ne!(next.span_id, context.span_id);
    }

    proptest! {
        #[test]
        fn no_header_panics(header: String) {
            let _ = TraceContext::parse(&header);
        }

        #[test]
        fn there_and_back(trace_id in any::<[u8; 16]>(), span_id in any::<[u8; 8]>(), sampled: bool) {
            prop_assume!(trace_id != [0; 16] && span_id != [0; 8]);
            let context = TraceContext { trace_id, span_id, sampled };
            prop_assert_eq!(TraceContext::parse(&context.to_header()), Some(context));
        }
    }
}
