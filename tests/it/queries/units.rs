//! What the values of an expression are measured in, as far as that can be told, and whether a panel says the same.

use super::board::{Board, Query, name_of, text};
use super::grafana::neutral;
use super::known::Known;
use cloud_task_exporter::metrics::catalogue::Unit;
use promql_parser::parser::token::{
    T_ADD, T_COUNT, T_COUNT_VALUES, T_GROUP, T_LAND, T_LOR, T_LUNLESS, T_MUL, T_STDVAR, T_SUB,
};
use promql_parser::parser::{AggregateExpr, BinaryExpr, Call, Expr, parse};

/// What a panel can be wrong about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Seconds,
    /// Seconds since 1970.
    Instant,
    /// Milliseconds since 1970, as Grafana's units of time want it.
    GrafanaInstant,
    Bytes,
    RequestsPerSecond,
}

impl Measure {
    /// What is wrong with a panel's unit.
    fn mistake(self, unit: &str) -> Option<&'static str> {
        let (fits, told) = match self {
            Self::Seconds => {
                (["s", "dtdurations", "dthms", "clocks"].contains(&unit), "shows seconds: its unit is \"s\"")
            }
            Self::Instant => {
                (false, "shows a time in seconds: multiply it by 1000, with a unit such as \"dateTimeAsIso\"")
            }
            Self::GrafanaInstant => {
                (unit.starts_with("dateTime"), "shows a time: its unit is one such as \"dateTimeAsIso\"")
            }
            Self::Bytes => (["bytes", "decbytes"].contains(&unit), "shows bytes: its unit is \"bytes\""),
            Self::RequestsPerSecond => (unit == "reqps", "shows requests per second: its unit is \"reqps\""),
        };
        (!fits).then_some(told)
    }
}

pub fn check(known: &Known, board: &Board) -> Vec<String> {
    let queries = board.queries().0;
    let of_panels = queries.iter().filter_map(|Query { text, panel, .. }| Some((text, (*panel)?)));
    let told = of_panels.filter_map(|(query, panel)| {
        let unit = text(panel, "/fieldConfig/defaults/unit");
        let expression = parse(&neutral(query).0).ok()?;
        // A panel without a unit, such as a table, has one for each column, or is told of by another check.
        let measure = measure(known, &expression).filter(|_| !unit.is_empty())?;
        let mistake = measure.mistake(unit)?;
        Some(format!("{}: {}: {mistake}, not {unit:?}: {query}", board.file, name_of(panel)))
    });
    told.collect()
}

fn measure(known: &Known, expression: &Expr) -> Option<Measure> {
    match expression {
        Expr::Paren(inner) => measure(known, &inner.expr),
        Expr::Unary(inner) => measure(known, &inner.expr),
        Expr::Subquery(inner) => measure(known, &inner.expr),
        Expr::VectorSelector(selector) => of_unit(known.unit(selector.name.as_deref()?)),
        Expr::MatrixSelector(range) => of_unit(known.unit(range.vs.name.as_deref()?)),
        Expr::Call(call) => of_call(known, call),
        Expr::Aggregate(aggregate) => of_aggregate(known, aggregate),
        Expr::Binary(binary) => of_binary(known, binary),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => None,
    }
}

const fn of_unit(unit: Unit) -> Option<Measure> {
    match unit {
        Unit::Seconds => Some(Measure::Seconds),
        Unit::Timestamp => Some(Measure::Instant),
        Unit::Bytes => Some(Measure::Bytes),
        Unit::RequestsPerSecond => Some(Measure::RequestsPerSecond),
        Unit::None => None,
    }
}

fn of_call(known: &Known, call: &Call) -> Option<Measure> {
    let of_argument = |index: usize| measure(known, call.args.args.get(index)?);
    match call.func.name {
        "time" | "timestamp" => Some(Measure::Instant),
        // The buckets hold counts; what they are counts of is what comes out.
        "histogram_quantile" => of_quantile(known, call.args.args.get(1)?),
        "abs" | "ceil" | "floor" | "round" | "clamp" | "clamp_min" | "clamp_max" | "increase" | "delta" | "sort"
        | "sort_desc" | "scalar" | "label_replace" | "label_join" | "vector" => of_argument(0),
        name if name.ends_with("_over_time")
            && !["count", "present", "absent", "stdvar", "quantile"].iter().any(|of| name.starts_with(of)) =>
        {
            of_argument(0)
        }
        _ => None,
    }
}

/// What the first histogram within counted: rates and sums of its buckets are still of that.
fn of_quantile(known: &Known, expression: &Expr) -> Option<Measure> {
    match expression {
        Expr::Aggregate(aggregate) => of_quantile(known, &aggregate.expr),
        Expr::Paren(inner) => of_quantile(known, &inner.expr),
        Expr::Call(call) => call.args.args.iter().find_map(|argument| of_quantile(known, argument)),
        Expr::Binary(binary) => of_quantile(known, &binary.lhs),
        Expr::VectorSelector(selector) => of_unit(known.observed(selector.name.as_deref()?)),
        Expr::MatrixSelector(range) => of_unit(known.observed(range.vs.name.as_deref()?)),
        _ => None,
    }
}

fn of_aggregate(known: &Known, aggregate: &AggregateExpr) -> Option<Measure> {
    let counts = [T_COUNT, T_COUNT_VALUES, T_GROUP, T_STDVAR];
    if counts.contains(&aggregate.op.id()) { None } else { measure(known, &aggregate.expr) }
}

fn of_binary(known: &Known, binary: &BinaryExpr) -> Option<Measure> {
    let (left, right) = (measure(known, &binary.lhs), measure(known, &binary.rhs));
    let is_bool = binary.modifier.as_ref().is_some_and(|modifier| modifier.return_bool);
    match (binary.op.id(), left, right) {
        (T_SUB, Some(Measure::Instant), Some(Measure::Instant)) => Some(Measure::Seconds),
        (T_SUB | T_ADD, left, right) if left == right => left,
        (T_MUL, Some(Measure::Instant), None) if is_number(&binary.rhs, 1000.0) => Some(Measure::GrafanaInstant),
        (T_MUL, None, Some(Measure::Instant)) if is_number(&binary.lhs, 1000.0) => Some(Measure::GrafanaInstant),
        (T_SUB | T_ADD, left, None) | (T_LAND | T_LUNLESS, left, _) => left,
        (T_LOR, left, right) => left.or(right),
        _ if binary.op.is_comparison_operator() && !is_bool => left,
        _ => None,
    }
}

fn is_number(expression: &Expr, wanted: f64) -> bool {
    matches!(expression, Expr::NumberLiteral(number) if (number.val - wanted).abs() < f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::super::board::tests::good;
    use super::*;

    #[test]
    fn a_panel_says_what_its_metrics_say() {
        let known = Known::of_exporter();
        let age = "time() - max by (task_id) (cloud_task_created_timestamp_seconds)";
        let native = "histogram_quantile(0.5, sum(rate(cloud_task_duration_seconds[$__rate_interval]))) or vector(1)";
        for (query, fits, does_not) in [
            (age, "s", "short"),
            (native, "s", "ms"),
            ("max(cloud_task_exporter_schedule_lag_seconds) > 10", "s", "short"),
            ("1000 * cloud_task_finished_timestamp_seconds", "dateTimeAsIso", "s"),
            ("process_resident_memory_bytes", "bytes", "short"),
            ("min(cloud_task_exporter_api_quota_requests_per_second)", "reqps", "short"),
            ("sum(increase(cloud_task_duration_seconds_sum[$__range]))", "s", "percent"),
        ] {
            let told = |unit: &str| {
                let mut board = good();
                board.json["panels"][0]["targets"][0]["expr"] = query.into();
                board.json["panels"][0]["fieldConfig"]["defaults"]["unit"] = unit.into();
                check(&known, &board)
            };
            assert_eq!(told(fits), Vec::<String>::new(), "{query}");
            assert!(told(does_not)[0].starts_with("dashboards/overview.json: panel \"Tasks\": shows "), "{query}");
        }
    }

    #[test]
    fn an_instant_is_in_milliseconds_and_counts_are_free() {
        let known = Known::of_exporter();
        let of = |query: &str| measure(&known, &parse(query).unwrap());
        assert_eq!(of("cloud_task_created_timestamp_seconds"), Some(Measure::Instant));
        assert!(Measure::Instant.mistake("dateTimeAsIso").is_some());
        for query in [
            "cloud_tasks",
            "count(cloud_task_run_duration_seconds)",
            "rate(cloud_task_exporter_api_rate_limit_wait_seconds_total[5m])",
            "cloud_task_duration_seconds_count",
            "increase(cloud_task_duration_seconds_bucket[5m])",
            "cloud_task_created_timestamp_seconds > bool 0",
            "process_resident_memory_bytes / process_virtual_memory_bytes",
        ] {
            assert_eq!(of(query), None, "{query}");
        }
    }
}
