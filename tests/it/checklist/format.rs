//! Items 1-17: the file's format and what unpacking makes of it.

use crate::fixtures::Pex;
use crate::harness::Case;

#[test]
fn item_01_pex_info_is_found_behind_any_prefix() {
    let pex = Pex::probe("item01").build();
    Case::new(&pex).holds(|run| {
        run.state();
    });
}
