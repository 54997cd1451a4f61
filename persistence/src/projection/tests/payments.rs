//! Payments in their order.

use super::*;

#[tokio::test]
async fn the_newest_payments_are_read_forward_and_refunds_are_none_of_them() {
    for home in homes("payments").await {
        let mut tape = sales(6);
        let refund = Transaction { verb: Verb::Refund.number(), parent: id(2), ..sale(7) };
        tape.push(Kind::Intent, &refund, &[]);
        // Made in the same microsecond as the sixth.
        tape.push(Kind::Intent, &Transaction { created_at: sale(6).created_at, ..sale(8) }, &[]);
        apply_all(&home.url, &tape).await;
        let queries = Database::open(&home.url).await.unwrap().queries();
        let begins = queries.payments_begin(3).await.unwrap().unwrap();
        assert_eq!((begins.id, begins.at), (id(5), Micros(sale(5).created_at.get())));
        let ids = async |from, limit| -> Vec<Xid> {
            queries.payments(from, limit).await.unwrap().iter().map(|stored| stored.transaction().id).collect()
        };
        assert_eq!(ids(begins, 9).await, [id(5), id(6), id(8)]);
        assert_eq!(ids(begins.behind(), 9).await, [id(6), id(8)]);
        assert_eq!(Place { at: Micros(4), id: Xid([0xff; 12]) }.behind(), Place::at(Micros(5)));
        assert_eq!(ids(Place::at(Micros(0)), 2).await, [id(1), id(2)]);
        assert_eq!(queries.payments_begin(8).await.unwrap(), None);
    }
}
