//! A Rust program that leans on the kernel: a file read through `std::fs::File`, `println!` to standard
//! output, threads with channels and locks, child processes. Its output is the same on every run.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

fn read_file(path: &str) -> io::Result<()> {
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    println!("{} has {} lines", path, text.lines().count());
    let first = BufReader::new(File::open(path)?).lines().next().unwrap()?;
    println!("the first: {first}");
    Ok(())
}

fn write_file() -> io::Result<()> {
    let path = format!("/tmp/rust.{}", std::process::id());
    let mut f = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    for i in 0..1000 {
        writeln!(f, "line {i}")?;
    }
    f.seek(SeekFrom::End(-9))?;
    let mut end = String::new();
    f.read_to_string(&mut end)?;
    println!("{:?} {} bytes", end, f.metadata()?.len());
    f.set_len(10)?;
    println!("{}", fs::metadata(&path)?.len());
    fs::remove_file(&path)?;
    println!("{:?}", File::open(&path).map(|_| ()).map_err(|e| e.kind()));
    Ok(())
}

fn channels() {
    let (tx, rx) = mpsc::channel();
    let threads: Vec<_> = (0..8u64)
        .map(|n| {
            let tx = tx.clone();
            thread::spawn(move || (0..1000).for_each(|i| tx.send(n * 1000 + i).unwrap()))
        })
        .collect();
    drop(tx);
    println!("channel {}", rx.iter().sum::<u64>());
    threads.into_iter().for_each(|t| t.join().unwrap());

    let (tx, rx) = mpsc::sync_channel(1);
    thread::spawn(move || (0..100).for_each(|i| tx.send(i).unwrap()));
    println!("in order {}", rx.iter().zip(0..).all(|(a, b): (i32, i32)| a == b));
    let (_keep, rx) = mpsc::channel::<()>();
    println!("{:?}", rx.recv_timeout(Duration::from_millis(20)));
}

fn locks() {
    let count = Arc::new(AtomicU64::new(0));
    let table = Arc::new(RwLock::new(HashMap::new()));
    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let barrier = Arc::new(Barrier::new(6));
    let threads: Vec<_> = (0..6)
        .map(|me| {
            let (count, table, turn, barrier) =
                (count.clone(), table.clone(), turn.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                for round in 0..50 {
                    let (lock, cond) = &*turn;
                    let mut now = cond.wait_while(lock.lock().unwrap(), |t| *t % 6 != me).unwrap();
                    *now += 1;
                    cond.notify_all();
                    drop(now);
                    count.fetch_add(round, Ordering::Relaxed);
                    table.write().unwrap().insert((me, round), ());
                    assert!(!table.read().unwrap().is_empty());
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    println!("locks {} {}", count.load(Ordering::SeqCst), table.read().unwrap().len());
}

fn processes() -> io::Result<()> {
    let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().unwrap().write_all(b"pear\napple\nfig\n")?;
    print!("{}", String::from_utf8_lossy(&child.wait_with_output()?.stdout));
    println!("{:?}", Command::new("sh").args(["-c", "kill -9 $$"]).status()?);
    println!("{:?}", Command::new("/nofile").status().map_err(|e| e.kind()));
    println!("{}", Command::new("sh").args(["-c", "exit 9"]).status()?.code().unwrap());
    Ok(())
}

fn main() -> io::Result<()> {
    read_file(&std::env::args().nth(1).unwrap_or("/etc/passwd".into()))?;
    write_file()?;
    channels();
    locks();
    processes()?;
    let start = Instant::now();
    thread::sleep(Duration::from_millis(20));
    println!("slept {}", start.elapsed() >= Duration::from_millis(20));
    // The usual message names a thread number.
    std::panic::set_hook(Box::new(|_| println!("a thread panics")));
    println!("panicked {}", thread::spawn(|| panic!("on purpose")).join().is_err());
    Ok(())
}
