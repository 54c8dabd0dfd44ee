use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use super::*;

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("craton-real-disk-{}-{n}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[test]
fn files_are_private_and_come_back() {
    let folder = Folder::new();
    let disk = RealDisk::open(&folder.0).expect("open");
    disk.create_dir("a/b").expect("dir");
    let file = disk.create("a/b/c").expect("create");
    file.write_at(3, b"hello").expect("write");
    file.sync().expect("sync");
    disk.sync_dir("a/b").expect("sync dir");
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(&folder.0.join("a")), 0o700);
    assert_eq!(mode(&folder.0.join("a/b/c")), 0o600);
    assert!(disk.is_private("a/b/c").expect("mode"));

    let again = disk.open("a/b/c").expect("open");
    let mut out = [0xff; 8];
    again.read_at(0, &mut out).expect("read");
    assert_eq!(&out, b"\0\0\0hello");
    assert_eq!(again.len().expect("len"), 8);
    assert_eq!(
        again.read_at(1, &mut out).expect_err("short").kind(),
        Kind::Corrupt
    );
    again.set_len(4).expect("shrink");
    assert_eq!(file.len().expect("len"), 4);
}

#[test]
fn names_are_made_renamed_listed_and_removed() {
    let folder = Folder::new();
    let disk = RealDisk::open(&folder.0).expect("open");
    disk.create("x").expect("create");
    assert_eq!(disk.create("x").err().expect("twice").kind(), Kind::Exists);
    disk.create("y").expect("create");
    disk.rename("x", "y").expect("replace");
    let mut names = Vec::new();
    disk.list("", &mut |n| {
        names.push(n.to_owned());
        Ok(())
    })
    .expect("list");
    assert_eq!(names, ["y"]);
    disk.remove("y").expect("remove");
    assert_eq!(disk.remove("y").expect_err("gone").kind(), Kind::NotFound);
    assert_eq!(disk.open("y").err().expect("gone").kind(), Kind::NotFound);
    assert_eq!(
        disk.list("none", &mut |_| Ok(())).expect_err("none").kind(),
        Kind::NotFound
    );
}

#[test]
fn a_path_cannot_leave_the_root() {
    let folder = Folder::new();
    let disk = RealDisk::open(&folder.0).expect("open");
    for path in ["../x", "/etc/passwd", "a/../../x", "a//b", "./a", "a/", ".."] {
        assert_eq!(
            disk.create(path).err().expect(path).kind(),
            Kind::Internal,
            "{path}"
        );
        assert_eq!(
            disk.open(path).err().expect(path).kind(),
            Kind::Internal,
            "{path}"
        );
        assert_eq!(
            disk.create_dir(path).expect_err(path).kind(),
            Kind::Internal,
            "{path}"
        );
    }
}

#[test]
fn a_lock_excludes_another_handle() {
    let folder = Folder::new();
    let disk = RealDisk::open(&folder.0).expect("open");
    let one = disk.create("lock").expect("create");
    let two = disk.open("lock").expect("open");
    assert!(one.try_lock().expect("lock"));
    assert!(!two.try_lock().expect("lock"));
    drop(one);
    assert!(two.try_lock().expect("lock"));
}

#[test]
fn a_file_that_others_may_read_is_not_private() {
    let folder = Folder::new();
    let disk = RealDisk::open(&folder.0).expect("open");
    disk.create("k").expect("create");
    fs::set_permissions(folder.0.join("k"), fs::Permissions::from_mode(0o640)).expect("chmod");
    assert!(!disk.is_private("k").expect("mode"));
}

/// Counts the flushes of files, and fails some.
struct Counted(Arc<AtomicU64>, bool);

impl File for Counted {
    fn len(&self) -> Result<u64> {
        Ok(0)
    }

    fn set_len(&self, _: u64) -> Result<()> {
        Ok(())
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> Result<()> {
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match self.1 {
            true => Err(Error::internal("this one fails")),
            false => Ok(()),
        }
    }

    fn try_lock(&self) -> Result<bool> {
        Ok(false)
    }
}

#[test]
fn several_files_are_flushed_once_each_and_an_error_of_any_is_told() {
    let folder = Folder::new();
    let disk = RealDisk::open(&folder.0).expect("open");
    for number in [0, 1, 2, 7, 8, 9, 30] {
        for failing in (0..number).map(Some).chain([None]) {
            let flushed = Arc::new(AtomicU64::new(0));
            let file = |n| Arc::new(Counted(flushed.clone(), Some(n) == failing)) as Arc<dyn File>;
            let files: Vec<_> = (0..number).map(file).collect();
            assert_eq!(disk.sync_files(&files).is_err(), failing.is_some());
            if failing.is_none() {
                assert_eq!(flushed.load(Ordering::Relaxed), number);
            }
        }
    }
}
