//! Charts as SVG: drawn here, styled by the page, readable in the dark.

use maud::{Markup, PreEscaped, html};
use std::fmt::Write;

/// Places from left to right: seconds of five minutes.
const PLACES: usize = 300;
const WIDTH: u64 = 600;

/// A value's height above the floor.
fn height(value: u64, most: u64, height: u64) -> u64 {
    value.saturating_mul(height) / most.max(1)
}

/// Where a place is from the left; the newest is at the right edge.
fn x(place: usize, places: usize) -> u64 {
    (PLACES - places.min(PLACES) + place) as u64 * WIDTH / PLACES as u64
}

/// The next number of 1, 2, 5, 10, 20, … that a scale can end with.
fn scale(most: u64) -> u64 {
    let mut unit = 1;
    loop {
        for times in [1, 2, 5] {
            if unit * times >= most {
                return unit * times;
            }
        }
        unit *= 10;
    }
}

/// One band of a chart: its class, and its values, oldest first.
pub(super) type Band<'a> = (&'a str, Vec<u64>);

/// Bands upon each other, the first at the bottom, with a scale. `unit` is behind the scale's number.
pub(super) fn stacked(bands: &[Band<'_>], unit: &str, title: &str) -> Markup {
    const HEIGHT: u64 = 120;
    let places = bands.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let sum = |place: usize| bands.iter().filter_map(|(_, values)| values.get(place)).sum::<u64>();
    let most = scale((0..places).map(sum).max().unwrap_or(0).max(5));
    let mut floor = vec![0_u64; places];
    let mut drawn = String::new();
    for (class, values) in bands {
        let tops: Vec<u64> = floor.iter().zip(values).map(|(floor, value)| floor + value).collect();
        let up = tops.iter().enumerate().map(|(place, top)| (x(place, places), HEIGHT - height(*top, most, HEIGHT)));
        let down = floor.iter().enumerate().rev().map(|(place, top)| (x(place, places), HEIGHT - height(*top, most, HEIGHT)));
        // Writing to a string can't fail.
        let _ = write!(drawn, "<path class=\"{class}\" d=\"{}Z\"/>", path(up.chain(down)));
        floor = tops;
    }
    html! {
        figure.chart {
            figcaption {
                span { (title) }
                (key(bands))
                span.scale { (most) " " (unit) }
            }
            svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label=(title) {
                (PreEscaped("<path class=\"grid\" d=\"M0 .5H600M0 60H600M0 119.5H600\"/>"))
                (PreEscaped(drawn))
            }
            div.axis { span { "5 min ago" } span { "now" } }
        }
    }
}

/// Lines over each other.
pub(super) fn lines(bands: &[Band<'_>], most_text: impl Fn(u64) -> String, title: &str) -> Markup {
    const HEIGHT: u64 = 120;
    let most = scale(bands.iter().flat_map(|(_, values)| values).copied().max().unwrap_or(0).max(10));
    let mut drawn = String::new();
    for (class, values) in bands {
        let points = values.iter().enumerate();
        let points = points.map(|(place, value)| (x(place, values.len()), HEIGHT - height(*value, most, HEIGHT - 2) - 1));
        let _ = write!(drawn, "<path class=\"line {class}\" d=\"{}\"/>", path(points));
    }
    html! {
        figure.chart {
            figcaption {
                span { (title) }
                (key(bands))
                span.scale { (most_text(most)) }
            }
            svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label=(title) {
                (PreEscaped("<path class=\"grid\" d=\"M0 .5H600M0 60H600M0 119.5H600\"/>"))
                (PreEscaped(drawn))
            }
            div.axis { span { "5 min ago" } span { "now" } }
        }
    }
}

/// Which colour is what.
fn key(bands: &[Band<'_>]) -> Markup {
    html! { span.key { @for (class, _) in bands { span { i.(class) {} (class) } } } }
}

/// A bar that is full at a hundred of a hundred.
pub(super) fn bar(class: &str, part: u64, whole: u64) -> Markup {
    let percent = (part.saturating_mul(100) / whole.max(1)).min(100);
    html! {
        svg.bar viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
            (PreEscaped("<rect class=\"rail\" width=\"100\" height=\"4\"/>"))
            rect class=(class) width=(percent) height="4" {}
        }
    }
}

/// A line through points; nothing without any.
fn path(points: impl Iterator<Item = (u64, u64)>) -> String {
    let mut text = String::new();
    for (x, y) in points {
        let _ = write!(text, "{}{x} {y}", if text.is_empty() { 'M' } else { 'L' });
    }
    if text.is_empty() { "M0 0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_above_the_highest_value_with_a_round_number() {
        assert_eq!([0, 1, 3, 5, 6, 21, 900].map(scale), [1, 1, 5, 5, 10, 50, 1_000]);
    }

    #[test]
    fn the_newest_value_stands_at_the_right_edge_however_many_there_are() {
        let chart = stacked(&[("approved", vec![1, 2, 10])], "/s", "Payments").into_string();
        assert!(chart.contains("class=\"approved\" d=\"M594 108L596 96L598 0L598 120L596 120L594 120Z\""), "{chart}");
        assert!(stacked(&[("approved", Vec::new())], "/s", "Payments").into_string().contains("d=\"M0 0Z\""));
    }
}
