//! Forms in parts (`multipart/form-data`, RFC 7578), as clients send them that build no other: texts only. A file is refused.

use crate::rest::problem::Problem;

/// Longest boundary that a client may choose (RFC 2046), bytes.
const BOUNDARY_MAX_BYTES: usize = 70;

/// The names and texts of a body, in their order. `parameters` are what stands behind the media type; more parts than `parts_max` are refused.
pub(super) fn parts<'b>(parameters: &str, body: &'b str, parts_max: usize) -> Result<Vec<(&'b str, &'b str)>, Problem> {
    let is_one = |text: &&str| (1..=BOUNDARY_MAX_BYTES).contains(&text.len());
    let boundary = parameter(parameters, "boundary").filter(is_one);
    let boundary = boundary.ok_or_else(|| wrong("the content type must name a boundary of 1 to 70 characters"))?;
    let delimiter = format!("\r\n--{boundary}");
    // What stands before the first boundary means nothing; mostly that is nothing at all.
    let opening = &delimiter[2..];
    let opened = body.strip_prefix(opening).or_else(|| body.split_once(&delimiter).map(|(_, rest)| rest));
    let mut rest = opened.ok_or_else(|| wrong("must begin with the boundary that the content type names"))?;
    let mut parts = Vec::new();
    while !rest.starts_with("--") {
        if parts.len() == parts_max {
            return Err(Problem::invalid("body", format!("must have at most {parts_max} fields")));
        }
        let (part, behind) = rest.split_once(&delimiter).ok_or_else(|| wrong("must end with the boundary and two dashes"))?;
        parts.push(field(part)?);
        rest = behind;
    }
    Ok(parts)
}

/// A part behind its boundary: the end of that line, headers, an empty line, the text.
fn field(part: &str) -> Result<(&str, &str), Problem> {
    let lines = part.trim_start_matches([' ', '\t']).strip_prefix("\r\n");
    let (headers, text) =
        lines.and_then(|lines| lines.split_once("\r\n\r\n")).ok_or_else(|| wrong("a part has no end of its headers"))?;
    let disposition = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let (_, parameters) = disposition.and_then(|value| value.split_once(';')).unwrap_or_default();
    let name = parameter(parameters, "name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| wrong("each part must have a name"))?;
    if parameter(parameters, "filename").is_some() {
        return Err(Problem::invalid(name.to_owned(), "must be a text, not a file"));
    }
    Ok((name, text))
}

/// The value of `name=value` or `name="value"` among parameters that stand behind semicolons.
fn parameter<'p>(parameters: &'p str, name: &str) -> Option<&'p str> {
    let mut rest = parameters;
    while let Some((known, behind)) = rest.split_once('=') {
        let (value, next) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => behind.split_at(behind.find(';').unwrap_or(behind.len())),
        };
        if known.trim_matches([' ', ';', '\t']).eq_ignore_ascii_case(name) {
            return Some(value.trim());
        }
        rest = next;
    }
    None
}

fn wrong(reason: &'static str) -> Problem {
    Problem::invalid("body", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `curl -F` writes it.
    const CURL: &str = "--------------------------d74496d66958873e\r\nContent-Disposition: form-data; name=\"amount\"\r\n\r\n100.00\r\n\
                        --------------------------d74496d66958873e\r\nContent-Disposition: form-data; name=\"recipient_note\"\r\n\
                        Content-Type: text/plain\r\n\r\nZeile 1\r\n\r\nZeile 2\r\n--------------------------d74496d66958873e--\r\n";
    const CURLS_BOUNDARY: &str = " boundary=------------------------d74496d66958873e";

    #[test]
    fn texts_are_read_as_they_were_sent() {
        let read = parts(CURLS_BOUNDARY, CURL, 9).unwrap();
        assert_eq!(read, [("amount", "100.00"), ("recipient_note", "Zeile 1\r\n\r\nZeile 2")]);
        let quoted = "preamble\r\n--x y\r\ncontent-disposition:form-data;name=recipients[0][token]\r\n\r\n\r\n--x y--";
        assert_eq!(parts(" charset=utf-8; boundary=\"x y\"", quoted, 9).unwrap(), [("recipients[0][token]", "")]);
        assert_eq!(parts("boundary=x", "--x--\r\n", 9).unwrap(), []);
        assert_eq!(parts(CURLS_BOUNDARY, CURL, 2).unwrap().len(), 2);
        assert!(parts(CURLS_BOUNDARY, CURL, 1).unwrap_err().to_string().contains("at most 1 fields"));
    }

    #[test]
    fn what_is_not_accepted_is_named() {
        let long = format!("boundary={}", "x".repeat(71));
        let file = "--x\r\nContent-Disposition: form-data; name=\"amount\"; filename=\"a.txt\"\r\n\r\n1\r\n--x--";
        for (parameters, body, said) in [
            ("", CURL, "boundary"),
            (long.as_str(), CURL, "boundary"),
            ("boundary=other", CURL, "must begin with"),
            (CURLS_BOUNDARY, &CURL[..CURL.len() - 50], "must end with"),
            ("boundary=x", "--x\r\nContent-Type: text/plain\r\n\r\n1\r\n--x--", "must have a name"),
            ("boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n--x--", "no end of its headers"),
            ("boundary=x", file, "invalid amount: must be a text"),
        ] {
            let refused = parts(parameters, body, 9).unwrap_err().to_string();
            assert!(refused.contains(said), "{said}: {refused}");
        }
    }

    #[test]
    fn whatever_is_lost_or_changed_on_the_way_is_read_or_refused() {
        for place in 0..CURL.len() {
            for other in ["", "\r\n", "--", "\"", ";", "=", ":"] {
                let body = [&CURL[..place], other, &CURL[place + 1..]].concat();
                for (name, _) in parts(CURLS_BOUNDARY, &body, 4).unwrap_or_default() {
                    assert!(!name.is_empty(), "{body}");
                }
            }
            assert!(parts(CURLS_BOUNDARY, &CURL[..place.min(CURL.len() - 4)], 4).is_err(), "what is cut off is refused");
        }
    }
}
