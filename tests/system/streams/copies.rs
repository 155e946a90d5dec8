//! cp, both ways.

use std::fs;

use super::{TRANSPORTS, cluster, kubectl};

#[test]
fn files_are_copied_into_a_container_and_out_of_it() {
    let cluster = cluster();
    let here = cluster.scratch().join("here");
    fs::create_dir_all(here.join("deep")).unwrap();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    fs::write(here.join("large"), &large).unwrap();
    fs::write(here.join("deep/small"), "small\n").unwrap();
    for (transport, websockets) in TRANSPORTS {
        let copy = |from: &str, to: &str| kubectl(&cluster, websockets, &format!("cp {from} {to}"), b"").ok();
        let back = cluster.scratch().join(format!("back-{transport}"));
        let (from, to) = (here.display().to_string(), back.display().to_string());
        copy(&from, &format!("streams:/data/{transport}"));
        copy(&format!("streams:/data/{transport}"), &to);
        assert!(fs::read(back.join("large")).unwrap() == large, "{transport}");
        assert_eq!(fs::read_to_string(back.join("deep/small")).unwrap(), "small\n", "{transport}");
        // A directory that is there is what files are copied into.
        copy(&format!("{from}/deep/small"), "streams:/data");
        copy("streams:/data/small", &format!("{to}/one"));
        assert_eq!(fs::read_to_string(back.join("one")).unwrap(), "small\n", "{transport}");
    }
    // kubectl shows what tar complains about among its own output.
    let missing = cluster.kubectl(&format!("cp streams:/data/nothing {}/nothing", here.display()));
    let error = missing.stdout + &missing.stderr;
    assert!(error.contains("/data/nothing: Cannot stat: No such file or directory"), "{error}");
    let error = cluster.kubectl(&format!("cp {}/large streams:/elsewhere", here.display())).failed();
    assert!(error.contains("tar: "), "{error}");
}
