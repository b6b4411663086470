//! Tests of `track::mlflow::server`.

use super::*;

#[test]
fn an_address_is_one_of_a_server_and_shows_no_password() {
    for good in ["http://127.0.0.1:5000", "https://mlflow.example.org/team/"] {
        assert!(Server::new(good).is_ok(), "{good}");
    }
    for bad in ["", "5000", "file:///tmp/x", "sqlite:///x.db", "http://", "http://h?x=1"] {
        assert!(matches!(Server::new(bad), Err(MlflowError::Address { .. })), "{bad}");
    }
    let said = Server::new("http://me:secret@host").unwrap_err().to_string();
    assert!(said.contains("http://host") && !said.contains("secret"), "{said}");
}
