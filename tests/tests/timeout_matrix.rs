//! The time-out matrix: every trouble, crash point, client and verb, with all checkers on; and the page that says how each ends.

use tests::simulator::world::matrix::all;
use tests::simulator::world::matrix::page::page;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/timeout-matrix.md");

#[test]
fn every_case_ends_as_the_page_says() {
    let computed = page(&all());
    let written = std::fs::read_to_string(PAGE).expect("the page is there");
    let difference = computed.lines().zip(written.lines()).find(|(computed, written)| computed != written);
    let what = "write it again with: cargo run -p tests --bin timeout-matrix -- --write docs/timeout-matrix.md";
    assert_eq!(difference, None, "computed, written; {what}");
    assert_eq!(computed, written, "{what}");
}
