//! Line plots as SVG, without a script: readable in any browser, light or dark by its style sheet.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 44.0;

/// One axis: its label, its ends, and what is written at which values.
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) scale: Scale,
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

/// How values become lengths.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

impl Axis {
    /// From zero, with round ticks.
    pub(super) fn linear(label: &str, most: f64) -> Axis {
        let step = round_step(most.max(1e-9) / 5.0);
        let count = (most / step).ceil().max(1.0);
        let tick = |number: u32| (f64::from(number) * step, short(f64::from(number) * step));
        let ticks = (0..=count as u32).map(tick).collect();
        Axis { label: label.to_owned(), scale: Scale::Linear, least: 0.0, most: count * step, ticks }
    }

    /// Around positive values, with a tick at each power of ten and at twice and five times that.
    pub(super) fn logarithmic(label: &str, values: impl Iterator<Item = f64> + Clone) -> Axis {
        let positive = values.filter(|value| *value > 0.0);
        let least = positive.clone().fold(f64::INFINITY, f64::min).min(1e9);
        let most = positive.fold(0.0, f64::max).max(least * 2.0);
        let decades = least.log10().floor() as i32..=most.log10().ceil() as i32;
        let all: Vec<f64> = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|of| of * 10_f64.powi(decade))).collect();
        let below = all.iter().copied().filter(|tick| *tick <= least).fold(least, f64::min).max(least / 2.5);
        let least = all.iter().copied().filter(|tick| *tick <= least).fold(below, f64::max);
        let most = all.iter().copied().find(|tick| *tick >= most).unwrap_or(most);
        let ticks = all.into_iter().filter(|tick| (least..=most).contains(tick)).map(|tick| (tick, short(tick))).collect();
        Axis { label: label.to_owned(), scale: Scale::Logarithmic, least, most, ticks }
    }

    /// Where a value lies, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        let (value, least, most) = match self.scale {
            Scale::Linear => (value, self.least, self.most),
            Scale::Logarithmic => (value.max(self.least).log10(), self.least.log10(), self.most.log10()),
        };
        ((value - least) / (most - least)).clamp(0.0, 1.0)
    }
}

/// A line through points, in ascending order of x.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot with its lines, which take the style sheet's colours in order.
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    /// A value of x that is marked, and why.
    pub(super) mark: Option<(f64, String)>,
}

impl Plot {
    /// As an SVG element.
    pub(super) fn svg(&self) -> String {
        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n<text class=\"title\" x=\"{LEFT}\" y=\"16\">{}</text>\n",
            escaped(&self.title),
            escaped(&self.title)
        );
        // Writing to a string can't fail.
        let _ = self.write_axes(&mut out);
        let _ = self.write_lines(&mut out);
        out.push_str("</svg>\n");
        out
    }

    fn across(&self, value: f64) -> f64 {
        LEFT + self.x.part(value) * (WIDTH - LEFT - RIGHT)
    }

    fn down(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.part(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn write_axes(&self, out: &mut String) -> std::fmt::Result {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, text) in &self.y.ticks {
            let at = self.down(*value);
            writeln!(out, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>")?;
            writeln!(
                out,
                "<text class=\"tick\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
                LEFT - 6.0,
                at + 4.0
            )?;
        }
        for (value, text) in &self.x.ticks {
            let at = self.across(*value);
            writeln!(out, "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>")?;
            writeln!(out, "<text class=\"tick\" text-anchor=\"middle\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>", bottom + 16.0)?;
        }
        let middle = f64::midpoint(LEFT, right);
        writeln!(
            out,
            "<text class=\"label\" text-anchor=\"middle\" x=\"{middle}\" y=\"{}\">{}</text>",
            HEIGHT - 8.0,
            self.x.label
        )?;
        let middle = f64::midpoint(TOP, bottom);
        writeln!(
            out,
            "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(14 {middle}) rotate(-90)\">{}</text>",
            self.y.label
        )?;
        let Some((value, why)) = &self.mark else { return Ok(()) };
        let at = self.across(*value);
        writeln!(out, "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>")?;
        writeln!(out, "<text class=\"tick\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{why}</text>", at - 6.0, bottom - 8.0)
    }

    fn write_lines(&self, out: &mut String) -> std::fmt::Result {
        for (number, line) in self.lines.iter().enumerate() {
            let points: Vec<String> =
                line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.across(*x), self.down(*y))).collect();
            writeln!(out, "<polyline class=\"line s{number}\" points=\"{}\"/>", points.join(" "))?;
            if line.points.len() <= 60 {
                for (x, y) in &line.points {
                    let (across, down, told) = (self.across(*x), self.down(*y), (short(*x), short(*y)));
                    let title = format!("<title>{}: {} at {}</title>", line.name, told.1, told.0);
                    writeln!(
                        out,
                        "<circle class=\"dot s{number}\" cx=\"{across:.1}\" cy=\"{down:.1}\" r=\"2.5\">{title}</circle>"
                    )?;
                }
            }
            let at = WIDTH - RIGHT - 90.0 * (self.lines.len() - number) as f64;
            writeln!(out, "<line class=\"line s{number}\" x1=\"{at}\" x2=\"{}\" y1=\"12\" y2=\"12\"/>", at + 18.0)?;
            writeln!(out, "<text class=\"tick\" x=\"{}\" y=\"16\">{}</text>", at + 23.0, line.name)?;
        }
        Ok(())
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let decade = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|of| of * decade).find(|step| *step >= least).unwrap_or(least)
}

/// A number in as few characters as tell it.
pub(super) fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        _ if value >= 1e6 => format!("{} M", trimmed(value / 1e6)),
        _ if value >= 1e4 => format!("{} k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 1.0 {
        2
    } else {
        3
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Text that may stand in an element or an attribute.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_what_is_shown() {
        let axis = Axis::linear("x", 4_321.0);
        assert_eq!(
            axis.ticks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
            ["0", "1000", "2000", "3000", "4000", "5000"]
        );
        let axis = Axis::logarithmic("x", [0.3, 7.0].into_iter());
        assert_eq!(axis.ticks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["0.2", "0.5", "1", "2", "5", "10"]);
        for axis in [Axis::linear("x", 0.0), Axis::logarithmic("x", [].into_iter())] {
            assert!(axis.most > axis.least && axis.ticks.len() < 20, "{} {}", axis.least, axis.most);
        }
        assert_eq!([0.04, 12.5, 250_000.0, 3e6].map(short), ["0.04", "12.5", "250 k", "3 M"]);
    }

    #[test]
    fn points_lie_inside_and_text_cannot_break_out() {
        let points = vec![(0.0, 1.0), (5.0, 1e12)];
        let (x, y) = (Axis::linear("x", 5.0), Axis::logarithmic("y", [1.0, 10.0].into_iter()));
        let plot = Plot { title: "<script>\"&".to_owned(), x, y, lines: vec![Line { name: "a", points }], mark: None };
        let svg = plot.svg();
        assert!(svg.contains("points=\"64.0,256.0 744.0,28.0\""), "{svg}");
        assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;"));
    }
}
