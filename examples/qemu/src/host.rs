// What each kernel is on a host, where it cannot run.

fn main() {
    eprintln!("this is a kernel: run it with `cargo xtask qemu`");
    std::process::exit(2);
}
