//! One PromQL expression: whether all that it names exists, and which labels its result has.
//!
//! The result of `or` has the labels of both sides: which of them has data cannot be known.

use super::known::{Known, Labels, hint};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::token::{T_BOTTOMK, T_COUNT_VALUES, T_LAND, T_LOR, T_LUNLESS, T_TOPK};
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector, parse,
};
use std::collections::BTreeSet;

/// Stands for the value of a variable, which may be anything.
pub const VARIABLE: &str = "value_of_a_variable";

/// The labels of the result, and what is wrong.
pub fn check(known: &Known, text: &str) -> (Labels, Vec<String>) {
    match parse(text) {
        Ok(expression) => {
            let mut walk = Walk { known, mistakes: Vec::new() };
            let labels = walk.labels(&expression).unwrap_or_default();
            (labels, walk.mistakes)
        }
        Err(error) => (Labels::any(), vec![format!("not PromQL: {error}: {text}")]),
    }
}

struct Walk<'a> {
    known: &'a Known,
    mistakes: Vec<String>,
}

impl Walk<'_> {
    /// None for a number or a text, which have no labels at all.
    fn labels(&mut self, expression: &Expr) -> Option<Labels> {
        match expression {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => None,
            Expr::Paren(inner) => self.labels(&inner.expr),
            Expr::Unary(inner) => self.labels(&inner.expr),
            Expr::Subquery(inner) => self.labels(&inner.expr),
            Expr::VectorSelector(selector) => Some(self.selected(selector)),
            Expr::MatrixSelector(range) => Some(self.selected(&range.vs)),
            Expr::Call(call) => self.called(call),
            Expr::Aggregate(aggregate) => Some(self.aggregated(aggregate)),
            Expr::Binary(binary) => self.combined(binary),
        }
    }

    fn need<'b>(&mut self, labels: &Labels, place: &str, names: impl IntoIterator<Item = &'b String>) {
        for name in names {
            if !labels.has(name) && name != "__name__" {
                let there = labels.named.keys().cloned().collect::<Vec<_>>().join(", ");
                let hint = hint(name, labels.named.keys());
                self.mistakes.push(format!("no label `{name}` for {place}{hint} (there are: {there})"));
            }
        }
    }

    fn selected(&mut self, selector: &VectorSelector) -> Labels {
        let alternatives = selector.matchers.or_matchers.iter().flatten();
        let matchers: Vec<&Matcher> = selector.matchers.matchers.iter().chain(alternatives).collect();
        let by_matcher = matchers.iter().find(|matcher| matcher.name == "__name__");
        let (name, labels) = match (&selector.name, by_matcher) {
            (Some(name), _) => (name, self.known.labels(name).cloned()),
            (None, Some(matcher)) => (&matcher.value, self.known.labels_of_all(|name| matcher.is_match(name))),
            (None, None) => {
                self.mistakes.push(format!("`{selector}` names no metric"));
                return Labels::any();
            }
        };
        let Some(labels) = labels else {
            self.mistakes.push(self.known.unknown(name));
            return Labels::any();
        };
        for matcher in matchers {
            self.need(&labels, &format!("the matcher `{matcher}` of `{name}`"), [&matcher.name]);
            self.check_values(&labels, name, matcher);
        }
        labels
    }

    fn check_values(&mut self, labels: &Labels, metric: &str, matcher: &Matcher) {
        let Some(Some(closed)) = labels.named.get(&matcher.name) else { return };
        for value in values_of(matcher) {
            if !value.is_empty() && !value.contains(VARIABLE) && !closed.contains(value) {
                let there = closed.iter().cloned().collect::<Vec<_>>().join(", ");
                let hint = hint(value, closed);
                let Matcher { name, .. } = matcher;
                self.mistakes.push(format!("`{metric}` has no {name}=\"{value}\"{hint} (there are: {there})"));
            }
        }
    }

    fn called(&mut self, call: &Call) -> Option<Labels> {
        let text = |index: usize| match call.args.args.get(index).map(|argument| &**argument) {
            Some(Expr::StringLiteral(text)) => Some(text.val.clone()),
            _ => None,
        };
        let vectors: Vec<Labels> = call.args.args.iter().filter_map(|argument| self.labels(argument)).collect();
        let inner = vectors.into_iter().next();
        match call.func.name {
            "scalar" | "time" => None,
            "vector" => Some(Labels::default()),
            "absent" | "absent_over_time" => call.args.args.first().map(|argument| fixed_by(argument)),
            "histogram_quantile" | "histogram_quantiles" => inner.map(|labels| labels.keep(|name| name != "le")),
            "label_replace" | "label_join" => {
                let labels = inner?;
                let sources = if call.func.name == "label_replace" { 3..4 } else { 3..call.args.len() };
                let sources: Vec<String> = sources.filter_map(text).filter(|source| !source.is_empty()).collect();
                self.need(&labels, call.func.name, &sources);
                Some(labels.with(&text(1)?, None))
            }
            _ => inner,
        }
    }

    fn aggregated(&mut self, aggregate: &AggregateExpr) -> Labels {
        let inner = self.labels(&aggregate.expr).unwrap_or_default();
        let named: BTreeSet<&String> = aggregate.modifier.iter().flat_map(|one| &one.labels().labels).collect();
        self.need(&inner, &format!("the grouping of `{}`", aggregate.op), named.iter().copied());
        let operator = aggregate.op.id();
        if operator == T_TOPK || operator == T_BOTTOMK {
            return inner;
        }
        let labels = match &aggregate.modifier {
            Some(LabelModifier::Exclude(_)) => inner.keep(|name| !named.iter().any(|gone| *gone == name)),
            _ => chosen(&inner, named),
        };
        match aggregate.param.as_deref() {
            Some(Expr::StringLiteral(label)) if operator == T_COUNT_VALUES => labels.with(&label.val, None),
            _ => labels,
        }
    }

    fn combined(&mut self, binary: &BinaryExpr) -> Option<Labels> {
        let (left, right) = match (self.labels(&binary.lhs), self.labels(&binary.rhs)) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return left.or(right),
        };
        let modifier = binary.modifier.as_ref();
        let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
        match matching {
            Some(LabelModifier::Include(on)) => {
                self.need(&left, "`on`, on the left", &on.labels);
                self.need(&right, "`on`, on the right", &on.labels);
            }
            Some(LabelModifier::Exclude(ignored)) => {
                self.need(&left.clone().or(right.clone()), "`ignoring`", &ignored.labels);
            }
            None => {}
        }
        match (binary.op.id(), modifier.map(|modifier| &modifier.card)) {
            (T_LOR, _) => Some(left.or(right)),
            (T_LAND | T_LUNLESS, _) => Some(left),
            (_, Some(VectorMatchCardinality::ManyToOne(added))) => {
                self.need(&right, "`group_left`, on the right", &added.labels);
                Some(left.or(chosen(&right, &added.labels)))
            }
            (_, Some(VectorMatchCardinality::OneToMany(added))) => {
                self.need(&left, "`group_right`, on the left", &added.labels);
                Some(right.or(chosen(&left, &added.labels)))
            }
            _ => Some(match matching {
                Some(LabelModifier::Include(on)) => chosen(&left, &on.labels),
                Some(LabelModifier::Exclude(ignored)) => {
                    left.keep(|name| !ignored.labels.iter().any(|gone| gone == name))
                }
                None => left,
            }),
        }
    }
}

/// The values a matcher spells out: one, or a plain alternation. A real regular expression spells out none.
fn values_of(matcher: &Matcher) -> Vec<&str> {
    let plain = |value: &&str| value.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => vec![&matcher.value],
        MatchOp::Re(_) | MatchOp::NotRe(_) => {
            let inner = matcher.value.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            let values: Vec<&str> = inner.unwrap_or(&matcher.value).split('|').collect();
            if values.iter().all(plain) { values } else { Vec::new() }
        }
    }
}

/// The named of some labels; where any may be there, each of them.
fn chosen<'a>(labels: &Labels, names: impl IntoIterator<Item = &'a String>) -> Labels {
    let present = names.into_iter().filter(|name| labels.has(name));
    present
        .fold(Labels::default(), |chosen, name| chosen.with(name, labels.named.get(name).cloned().unwrap_or_default()))
}

/// The labels that `absent` can tell: those the selector fixes.
fn fixed_by(argument: &Expr) -> Labels {
    let selector = match argument {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(range) => &range.vs,
        Expr::Paren(inner) => return fixed_by(&inner.expr),
        _ => return Labels::default(),
    };
    let fixed = selector.matchers.matchers.iter().filter(|matcher| matches!(matcher.op, MatchOp::Equal));
    Labels::of(fixed.map(|matcher| matcher.name.as_str()).filter(|name| *name != "__name__"))
}
