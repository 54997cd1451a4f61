//! What is different between two lists of lines: which stay, which go, which come, in the order of reading.

/// A line and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Kept(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The fewest lines that go and come.
pub(super) fn diff<'a>(old: &'a [String], new: &'a [String]) -> Vec<Line<'a>> {
    let common = common_behind(old, new);
    let (mut at, mut to) = (0, 0);
    let mut lines = Vec::with_capacity(old.len() + new.len());
    while at < old.len() && to < new.len() {
        if old[at] == new[to] {
            lines.push(Line::Kept(&old[at]));
            (at, to) = (at + 1, to + 1);
        } else if common[at + 1][to] >= common[at][to + 1] {
            lines.push(Line::Gone(&old[at]));
            at += 1;
        } else {
            lines.push(Line::New(&new[to]));
            to += 1;
        }
    }
    lines.extend(old[at..].iter().map(|line| Line::Gone(line)));
    lines.extend(new[to..].iter().map(|line| Line::New(line)));
    lines
}

/// How many lines both have in common from each pair of places on. Tables have a few hundred entries at most.
fn common_behind(old: &[String], new: &[String]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for at in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            common[at][to] =
                if old[at] == new[to] { common[at + 1][to + 1] + 1 } else { common[at + 1][to].max(common[at][to + 1]) };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_both_have_stays() {
        let (old, new) = (lines("a b c d"), lines("a x c d e"));
        let expected = [Line::Kept("a"), Line::Gone("b"), Line::New("x"), Line::Kept("c"), Line::Kept("d"), Line::New("e")];
        assert_eq!(diff(&old, &new), expected);
        assert_eq!(diff(&[], &lines("a")), [Line::New("a")]);
        assert_eq!(diff(&lines("a"), &[]), [Line::Gone("a")]);
    }
}
