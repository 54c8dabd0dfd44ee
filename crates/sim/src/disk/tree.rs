//! The names: what the cache shows, what the platter holds, and the changes between.

use std::{collections::BTreeMap, sync::Arc};

use craton_base::{Error, Kind, Result};

use super::content::{Inode, Luck};
use crate::random::SplitMix;

/// What a name stands for.
#[derive(Clone)]
enum Node {
    File(Arc<Inode>),
    Dir,
}

type Names = BTreeMap<Arc<str>, Node>;

/// A change that was not flushed.
enum DirOp {
    Put(Arc<str>, Node),
    Remove(Arc<str>),
    Rename(Arc<str>, Arc<str>, Node),
}

/// One directory. The maps are shared with the disks that power cuts made, until they change.
#[derive(Default)]
struct Dir {
    cache: Arc<Names>,
    platter: Arc<Names>,
    pending: Vec<DirOp>,
}

/// All directories by path; the root is the empty path.
pub(super) struct Tree {
    dirs: BTreeMap<Arc<str>, Dir>,
}

fn missing(path: &str) -> Error {
    Error::new(Kind::NotFound, "NoSuchFile", format!("there is no {path:?}"))
}

/// A path's directory and its name there.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn apply(names: &mut Names, op: &DirOp) {
    match op {
        DirOp::Put(name, node) => {
            names.insert(Arc::clone(name), node.clone());
        }
        DirOp::Remove(name) => {
            names.remove(name);
        }
        DirOp::Rename(from, to, node) => {
            names.remove(from);
            names.insert(Arc::clone(to), node.clone());
        }
    }
}

impl Dir {
    fn change(&mut self, op: DirOp) {
        apply(Arc::make_mut(&mut self.cache), &op);
        self.pending.push(op);
    }

    /// The names that a power cut leaves, with files that old handles do not reach.
    fn after_cut(&self, random: &mut SplitMix) -> Self {
        let mut names = Arc::clone(&self.platter);
        if !self.pending.is_empty() {
            let luck = Luck::draw(random);
            let names = Arc::make_mut(&mut names);
            for op in &self.pending {
                if luck.arrived(random) {
                    apply(names, op);
                }
            }
        }
        if names.values().any(|n| matches!(n, Node::File(_))) {
            for node in Arc::make_mut(&mut names).values_mut() {
                if let Node::File(inode) = node {
                    *node = Node::File(Arc::new(inode.after_cut(random)));
                }
            }
        }
        Self {
            cache: Arc::clone(&names),
            platter: names,
            pending: Vec::new(),
        }
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            dirs: BTreeMap::from([(Arc::from(""), Dir::default())]),
        }
    }

    pub(super) fn after_cut(&self, seed: u64) -> Self {
        let mut random = SplitMix::new(seed);
        let mut dirs: BTreeMap<Arc<str>, Dir> = BTreeMap::new();
        for (path, dir) in &self.dirs {
            // A directory comes after the one that it is in; if that lost the name, all of it is lost.
            let (parent, name) = split(path);
            let there = path.is_empty()
                || dirs
                    .get(parent)
                    .is_some_and(|p| matches!(p.cache.get(name), Some(Node::Dir)));
            if there {
                dirs.insert(Arc::clone(path), dir.after_cut(&mut random));
            }
        }
        Self { dirs }
    }

    fn dir(&self, path: &str) -> Result<&Dir> {
        self.dirs.get(path).ok_or_else(|| missing(path))
    }

    fn dir_mut(&mut self, path: &str) -> Result<&mut Dir> {
        self.dirs.get_mut(path).ok_or_else(|| missing(path))
    }

    pub(super) fn file(&self, path: &str) -> Result<Arc<Inode>> {
        let (dir, name) = split(path);
        match self.dir(dir)?.cache.get(name) {
            Some(Node::File(inode)) => Ok(Arc::clone(inode)),
            Some(Node::Dir) => Err(Error::internal(format!("{path:?} is a directory"))),
            None => Err(missing(path)),
        }
    }

    pub(super) fn create(&mut self, path: &str, inode: &Arc<Inode>) -> Result<()> {
        let (dir, name) = split(path);
        let dir = self.dir_mut(dir)?;
        if dir.cache.contains_key(name) {
            return Err(Error::new(
                Kind::Exists,
                "FileExists",
                format!("{path:?} exists already"),
            ));
        }
        dir.change(DirOp::Put(name.into(), Node::File(Arc::clone(inode))));
        Ok(())
    }

    pub(super) fn create_dir(&mut self, path: &str) -> Result<()> {
        if self.dirs.contains_key(path) {
            return Ok(());
        }
        let (parent, name) = split(path);
        self.create_dir(parent)?;
        let parent = self.dir_mut(parent)?;
        if parent.cache.contains_key(name) {
            return Err(Error::new(
                Kind::Exists,
                "FileExists",
                format!("{path:?} is a file"),
            ));
        }
        parent.change(DirOp::Put(name.into(), Node::Dir));
        self.dirs.insert(path.into(), Dir::default());
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> Result<()> {
        self.file(path)?;
        let (dir, name) = split(path);
        self.dir_mut(dir)?.change(DirOp::Remove(name.into()));
        Ok(())
    }

    /// Within one directory: the store needs no other, and across two it would not be atomic here.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let inode = self.file(from)?;
        let ((dir, from), (to_dir, to)) = (split(from), split(to));
        if dir != to_dir {
            return Err(Error::internal(
                "the simulated disk renames only within a directory",
            ));
        }
        self.dir_mut(dir)?
            .change(DirOp::Rename(from.into(), to.into(), Node::File(inode)));
        Ok(())
    }

    pub(super) fn list(&self, path: &str) -> Result<Vec<Arc<str>>> {
        Ok(self.dir(path)?.cache.keys().cloned().collect())
    }

    pub(super) fn sync_dir(&mut self, path: &str) -> Result<()> {
        let dir = self.dir_mut(path)?;
        dir.pending.clear();
        dir.platter = Arc::clone(&dir.cache);
        Ok(())
    }

    pub(super) fn files(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (path, dir) in &self.dirs {
            for (name, node) in dir.cache.iter() {
                if matches!(node, Node::File(_)) {
                    let slash = if path.is_empty() { "" } else { "/" };
                    out.push(format!("{path}{slash}{name}"));
                }
            }
        }
        out.sort_unstable();
        out
    }
}
