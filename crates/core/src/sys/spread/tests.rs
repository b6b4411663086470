//! Tests of `sys::spread`.

use super::*;

#[test]
fn work_is_spread_over_the_pool_that_was_entered_and_no_other() {
    let (two, three) = (ImageThreads::new(2).unwrap(), ImageThreads::new(3).unwrap());
    let _in_two = two.enter();
    assert_eq!(run_in_pool(rayon::current_num_threads), 2);
    {
        let _in_three = three.enter();
        assert_eq!(run_in_pool(rayon::current_num_threads), 3);
    }
    assert_eq!(run_in_pool(rayon::current_num_threads), 2);
    let name = run_in_pool(|| std::thread::current().name().map(str::to_owned));
    assert!(name.unwrap().starts_with("images-"));
}
