//! What came of a replay, as text and as a page. Both are made of the same rows; the text's digest is printed under it.

use super::journal::{Line, Replayed, Sum, Way};
use maud::{DOCTYPE, html};
use protocol::money::Currency;
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: [&str; 10] = ["way", "currency", "payments", "then", "approved", "then", "amount", "then", "cost", "then"];

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;font-variant-numeric:tabular-nums}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem;margin:0 0 1.5rem}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}\
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid #8884}\
th{font-weight:500;opacity:.7}thead tr:first-child th{text-align:center;border-bottom:0}thead tr:first-child th[rowspan]{text-align:left}\
td:first-child,td:nth-child(2){text-align:left}.then{background:#3b7dd81a}.all td{font-weight:600;border-top:2px solid #8888}";

/// A row of the table: cells as they are read.
type Row = [String; 10];

/// Hundredths of a percent of whole payments, with one decimal.
fn expected(bp: u64) -> String {
    format!("{}.{}", bp / 10_000, bp % 10_000 / 1_000)
}

fn money(bp: u128, currency: Option<Currency>) -> String {
    let minor = u64::try_from(bp / 10_000).unwrap_or(u64::MAX);
    currency.map_or_else(|| minor.to_string(), |currency| currency.major(minor))
}

fn row(way: String, currency: u16, Line { was, would_be }: &Line) -> Row {
    let currency = Currency::from_numeric(currency);
    let code = currency.map_or("?", |currency| currency.code()).to_owned();
    let [was_money, then_money] = [was, would_be].map(|sum: &Sum| [money(sum.amount_bp, currency), money(sum.cost_bp, currency)]);
    let ([was_amount, was_cost], [then_amount, then_cost]) = (was_money, then_money);
    let payments = [was.payments.to_string(), would_be.payments.to_string()];
    let ([was_payments, then_payments], was_approved, then_approved) =
        (payments, expected(was.approved_bp), expected(would_be.approved_bp));
    [way, code, was_payments, then_payments, was_approved, then_approved, was_amount, then_amount, was_cost, then_cost]
}

impl Replayed {
    fn rows(&self) -> Vec<Row> {
        let name = |way: Way| match way {
            Way::Processor(index) => self.names.get(&index).cloned().unwrap_or_else(|| format!("processor {index}")),
            Way::Denied => "denied by a rule".to_owned(),
            Way::Nowhere => "no processor".to_owned(),
        };
        let mut all = BTreeMap::<u16, Line>::new();
        self.lines.iter().for_each(|((_, currency), line)| all.entry(*currency).or_default().add(line));
        let each = self.lines.iter().map(|((way, currency), line)| row(name(*way), *currency, line));
        each.chain(all.iter().map(|(currency, line)| row("all".to_owned(), *currency, line))).collect()
    }

    /// The lines above the table: names and values.
    fn facts(&self) -> [(&'static str, String); 4] {
        [
            ("records", format!("LSN 1..={}", self.last_lsn)),
            ("state", self.state.to_string()),
            ("payments", self.payments.to_string()),
            ("changed", format!("{} would have gone another way", self.changed)),
        ]
    }

    /// As text; its last line is the digest of those before it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        for (name, value) in self.facts() {
            let _ = writeln!(text, "{name:<9} {value}");
        }
        let rows = self.rows();
        let widths: Vec<usize> = (0..HEAD.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).chain([HEAD[column].len()]).max().unwrap_or(0))
            .collect();
        let mut line = |cells: &[&str]| {
            let padded = cells.iter().zip(&widths).enumerate();
            let padded = padded
                .map(|(place, (cell, width))| if place < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
            let _ = writeln!(text, "{}", padded.collect::<Vec<_>>().join("  ").trim_end());
        };
        line(&HEAD);
        rows.iter().for_each(|row| line(&row.each_ref().map(String::as_str)));
        let digest = blake3::hash(text.as_bytes());
        let _ = writeln!(text, "report    {digest}");
        text
    }

    /// As a page that stands alone.
    pub fn page(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="color-scheme" content="light dark";
                    title { "Replay · Switchyard" }
                    style { (STYLE) }
                }
                body {
                    h1 { "Replay" }
                    dl { @for (name, value) in self.facts() { dt { (name) } dd { (value) } } }
                    div.wide { table {
                        thead {
                            tr { th rowspan="2" { "way" } th rowspan="2" { "currency" } @for name in HEAD[2..].iter().step_by(2) { th colspan="2" { (name) } } }
                            tr { @for _ in HEAD[2..].iter().step_by(2) { th { "was" } th.then { "then" } } }
                        }
                        tbody { @for row in self.rows() { tr class=[(row[0] == "all").then_some("all")] {
                            @for (place, cell) in row.iter().enumerate() { td class=[(place > 2 && place % 2 == 1).then_some("then")] { (cell) } }
                        } } }
                    } }
                    p { "“Then” is what the tables that were tried would have done. Approvals at another processor are expected at the rate at \
                         which it approved its own." }
                }
            }
        };
        page.into_string()
    }
}
