//! News of payables' transactions.

use super::*;
use crate::stores::PayableNews;
use protocol::tail::{push, tag};

#[tokio::test]
async fn each_new_state_of_a_payables_transaction_is_news_and_others_are_none() {
    for home in homes("payables_news").await {
        let mut tail = Vec::new();
        push(&mut tail, tag::PAYABLE, &id(77).0);
        let mut tape = Tape::default();
        tape.push(Kind::Intent, &sale(1), &tail);
        apply_all(&home.url, &tape).await;
        let stores = Database::open(&home.url).await.unwrap().stores();
        assert_eq!(stores.payable_news(9).await.unwrap(), [], "an intent tells nobody anything");
        tape.push(Kind::Outcome, &approved(sale(1), id(900)), &tail);
        tape.push(Kind::Intent, &sale(2), &[]);
        tape.push(Kind::Outcome, &approved(sale(2), id(900)), &[]);
        let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        projection.catch_up(&mut tape.clone(), u64::MAX).await.unwrap();
        let news = PayableNews { lsn: 2, transaction: id(1), payable: id(77) };
        assert_eq!(stores.payable_news(9).await.unwrap(), [news]);
        stores.forget_payable_news(2).await.unwrap();
        assert_eq!(stores.payable_news(9).await.unwrap(), []);
    }
}
