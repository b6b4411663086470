//! Tests of `model::import::order`.

use super::*;

#[test]
fn names_are_in_the_order_of_their_layers() {
    let orders: [&[&str]; 4] = [
        &[
            "conv1",
            "layer1.0.conv1",
            "layer1.0.conv2",
            "layer2.0.conv1",
            "layer2.0.downsample.0",
            "layer2.1.conv1",
            "layer10.0.conv1",
            "fc",
        ],
        &["features.0", "features.3", "features.10", "classifier.0", "classifier.6"],
        &["0", "2", "10"],
        &["stem", "block1.conv", "layers.0", "layers.2", "fc1", "fc2", "fc10"],
    ];
    for order in orders {
        let mut sorted = order.to_vec();
        sorted.reverse();
        sorted.sort_by_key(|name| order_key(name));
        assert_eq!(sorted, order);
    }
}
