//! What a program in a container cannot do, and how much it gets.

use burgeon::unstable::container::{Ended, Mount};

use crate::bench::{Bench, give, missing, user};
use crate::skipping::{Group, tests};

pub fn group() -> Group {
    Group {
        name: "limits",
        missing: missing(),
        tests: tests![
            a_program_has_its_user_and_no_rights_beyond,
            only_output_and_temporary_files_can_be_written,
            temporary_files_are_bounded,
            there_is_no_network_unless_it_is_given,
            memory_that_runs_out_ends_the_program,
            processes_are_bounded,
            processors_are_bounded,
            orphans_are_reaped,
            the_environment_and_further_mounts_are_there,
        ],
    }
}

fn a_program_has_its_user_and_no_rights_beyond() {
    let bench = Bench::new("rights", "id -u; id -g; cat /proc/self/status");
    let (ended, output) = bench.run();
    assert_eq!(ended, Ended::Exited(0));
    let (user, group) = user();
    assert!(output.starts_with(&format!("{user}\n{group}\n")), "{output}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(output.contains(&format!("{set}:\t0000000000000000")), "{output}");
    }
    assert!(output.contains("NoNewPrivs:\t1"), "{output}");
    assert!(output.contains("Seccomp:\t2"), "{output}");
}

fn only_output_and_temporary_files_can_be_written() {
    let line = "cat /checkout/file; for f in /x /bin/x /checkout/x /checkout/file; do touch $f && echo wrote $f; done; \
                echo a > /output/a && echo b > /tmp/b && cat /tmp/b";
    // As root, too, whom no permissions of files keep from it.
    for user in [user(), (0, 0)] {
        let mut bench = Bench::new("writes", line);
        bench.job.user = user;
        give(&bench.job.output, user);
        let (ended, output) = bench.run();
        assert_eq!(ended, Ended::Exited(0), "{output}");
        assert!(output.contains("from the checkout"), "{output}");
        assert!(!output.contains("wrote") && output.contains("Read-only file system"), "{output}");
        assert_eq!(std::fs::read_to_string(bench.written("a")).unwrap(), "a\n");
    }
}

fn temporary_files_are_bounded() {
    // Half of the memory of 64 MiB.
    let bench = Bench::new("tmp", "dd if=/dev/zero of=/tmp/x bs=1M count=40");
    let (ended, output) = bench.run();
    assert_eq!(ended, Ended::Exited(1), "{output}");
    assert!(output.contains("No space left on device"), "{output}");
}

fn there_is_no_network_unless_it_is_given() {
    let mut bench = Bench::new("network", "ls /sys/class/net; cat /proc/net/route");
    let (_, output) = bench.run();
    assert!(output.contains("lo") && !output.contains("eth"), "{output}");
    bench.engine.remove(&bench.job.label).unwrap();
    bench.job.network = true;
    assert!(bench.run().1.contains("eth"), "{output}");
}

fn memory_that_runs_out_ends_the_program() {
    let bench = Bench::new("memory", "echo begun; tail /dev/zero");
    assert_eq!(bench.run(), (Ended::OutOfMemory, "begun\n".into()));
}

fn processes_are_bounded() {
    let line = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done; ls /proc";
    let (_, output) = Bench::new("processes", line).run();
    assert!(output.contains("can't fork"), "{output}");
    let processes = output.lines().filter(|line| line.parse::<u32>().is_ok()).count();
    assert!(processes <= 16, "{output}");
}

fn processors_are_bounded() {
    let mut bench =
        Bench::new("processors", "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    bench.job.limits.cpus = 0.5;
    assert!(bench.run().1.contains("50000"), "neither version of cgroups says a half");
}

fn orphans_are_reaped() {
    let bench =
        Bench::new("orphans", "(sleep 0.1 &); (sleep 0.1 &); sleep 1; ps; cat /proc/1/cmdline");
    let (_, output) = bench.run();
    assert!(output.contains("init"), "{output}");
    assert!(!output.contains("Z ") && !output.contains("[sleep]"), "{output}");
}

fn the_environment_and_further_mounts_are_there() {
    let mut bench =
        Bench::new("mounts", "env; cat /data/more; touch /data/x || echo kept; touch /more/y");
    let folder = bench.path().join("more: with a colon");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("more"), "further").unwrap();
    give(&folder, user());
    let mount = |target: &str, read_only| Mount {
        source: folder.clone(),
        target: target.into(),
        read_only,
    };
    let mounts = vec![mount("/data", true), mount("/more", false)];
    bench.job.more_mounts = mounts;
    let (ended, output) = bench.run();
    assert_eq!(ended, Ended::Exited(0), "{output}");
    for piece in ["COLOUR=blue", "HOME=/tmp", "further", "kept"] {
        assert!(output.contains(piece), "{piece}: {output}");
    }
    assert!(folder.join("y").exists());
}
