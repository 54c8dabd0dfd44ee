//! Unification of terms, with the occurs check, and what it makes: instances and generalisations.
//!
//! A [`Unifier`] holds frames, each an encoded term with its own variables, and a variable is bound to
//! a [`Place`] in a frame: instances are written only when they are asked for. Bindings are undone in reverse order, as a search
//! that goes back needs.
//!
//! Robinson's algorithm on shared structure; all of it is loops over explicit stacks, so that depth
//! costs no stack, and every call counts its steps: terms that share their way to an exponential size
//! end in an error.
//!
//! Deliberately absent: facts, where candidates come from.

use craton_base::{Error, Kind, Result};

use crate::term::{self, Item, Part, Term, Writer, read, skip};

mod general;
pub use general::generalise;

/// Most steps of one unification or one instance.
pub const STEPS_MAX: u64 = 1 << 26;

/// Where a term begins: in which frame, at which byte, and how many of the frame's variables appeared
/// before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    frame: u32,
    at: u32,
    seen: u32,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    start: usize,
    end: usize,
    /// The slot of its first variable.
    base: u32,
    ground: bool,
}

/// What a place holds.
enum View {
    /// An unbound variable's slot.
    Variable(u32),
    Symbol,
    Expression(u32),
}

/// How far a unifier was, to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    frames: usize,
    bytes: usize,
    slots: usize,
    trail: usize,
}

/// Frames and the bindings of their variables.
#[derive(Debug, Default)]
pub struct Unifier {
    frames: Vec<Frame>,
    bytes: Vec<u8>,
    slots: Vec<Option<Place>>,
    trail: Vec<u32>,
    tasks: Vec<Task>,
    walk: Vec<(Place, u64)>,
    /// Which round of the occurs check saw a slot.
    rounds: Vec<u32>,
    round: u32,
}

/// Pairs that must still be unified: `count` terms from `left` on with as many from `right` on.
#[derive(Clone, Copy, Debug)]
struct Task {
    left: Place,
    right: Place,
    count: u64,
}

impl Unifier {
    /// Adds a term with variables of its own; its place.
    pub fn frame(&mut self, bytes: &[u8]) -> Place {
        let variables = term::count_new(bytes);
        let base = narrow(self.slots.len());
        self.slots.resize(self.slots.len() + variables as usize, None);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.frames.push(Frame {
            start,
            end: self.bytes.len(),
            base,
            ground: variables == 0,
        });
        Place {
            frame: narrow(self.frames.len() - 1),
            at: 0,
            seen: 0,
        }
    }

    /// The place of a part of the frame that `whole` is the place of.
    #[must_use]
    pub fn part(&self, whole: Place, part: Part) -> Place {
        Place {
            frame: whole.frame,
            at: part.start,
            seen: part.seen,
        }
    }

    /// Where it stands now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            frames: self.frames.len(),
            bytes: self.bytes.len(),
            slots: self.slots.len(),
            trail: self.trail.len(),
        }
    }

    /// Takes frames and bindings back to `mark`.
    pub fn undo(&mut self, mark: Mark) {
        while self.trail.len() > mark.trail {
            if let Some(slot) = self.trail.pop()
                && let Some(binding) = self.slots.get_mut(slot as usize)
            {
                *binding = None;
            }
        }
        self.frames.truncate(mark.frames);
        self.bytes.truncate(mark.bytes);
        self.slots.truncate(mark.slots);
    }

    /// Unifies two terms. If they do not unify some variables may be bound: undo to a mark.
    pub fn unify(&mut self, left: Place, right: Place) -> Result<bool> {
        self.tasks.clear();
        self.tasks.push(Task {
            left,
            right,
            count: 1,
        });
        let mut steps = 0_u64;
        while let Some(mut task) = self.tasks.pop() {
            while task.count > 0 {
                steps += 1;
                if steps > STEPS_MAX {
                    return Err(too_long());
                }
                task.count -= 1;
                match self.pair(&mut task)? {
                    Outcome::Differ => return Ok(false),
                    Outcome::Go => {}
                    Outcome::Enter(inner) => {
                        if task.count > 0 {
                            self.tasks.push(task);
                        }
                        task = inner;
                    }
                }
            }
        }
        Ok(true)
    }

    /// One pair: moves the task over it, or says what stands in its place.
    fn pair(&mut self, task: &mut Task) -> Result<Outcome> {
        let (left, right) = (self.resolve(task.left), self.resolve(task.right));
        if left == right {
            task.left = self.after(task.left)?;
            task.right = self.after(task.right)?;
            return Ok(Outcome::Go);
        }
        // Where neither side went through a binding both can be walked in place.
        let direct = left == task.left && right == task.right;
        match (self.view(left)?, self.view(right)?) {
            (View::Variable(slot), View::Variable(other)) if slot == other => {}
            (View::Variable(slot), _) => {
                if !self.bind(slot, right)? {
                    return Ok(Outcome::Differ);
                }
            }
            (_, View::Variable(slot)) => {
                if !self.bind(slot, left)? {
                    return Ok(Outcome::Differ);
                }
            }
            (View::Symbol, View::Symbol) => {
                if self.read(left)?.0 != self.read(right)?.0 {
                    return Ok(Outcome::Differ);
                }
            }
            (View::Expression(one), View::Expression(other)) if one == other => {
                let inner = Task {
                    left: self.inside(left)?,
                    right: self.inside(right)?,
                    count: u64::from(one),
                };
                if direct {
                    task.left = inner.left;
                    task.right = inner.right;
                    task.count += inner.count;
                    return Ok(Outcome::Go);
                }
                task.left = self.after(task.left)?;
                task.right = self.after(task.right)?;
                return Ok(Outcome::Enter(inner));
            }
            _ => return Ok(Outcome::Differ),
        }
        task.left = self.after(task.left)?;
        task.right = self.after(task.right)?;
        Ok(Outcome::Go)
    }

    /// Follows bound variables to an unbound one, a symbol or an expression.
    #[must_use]
    pub fn resolve(&self, mut place: Place) -> Place {
        while let Some(slot) = self.slot(place) {
            match self.slots.get(slot as usize) {
                Some(Some(bound)) => place = *bound,
                _ => break,
            }
        }
        place
    }

    /// The slot of the variable at `place`, if there is a variable.
    fn slot(&self, place: Place) -> Option<u32> {
        let frame = self.frames.get(place.frame as usize)?;
        if frame.ground {
            return None;
        }
        match read(self.frame_bytes(frame), place.at as usize)?.0 {
            Item::NewVariable => Some(frame.base + place.seen),
            Item::Reference(number) => Some(frame.base + number),
            Item::Expression(_) | Item::Symbol(_) => None,
        }
    }

    fn frame_bytes(&self, frame: &Frame) -> &[u8] {
        self.bytes.get(frame.start..frame.end).unwrap_or_default()
    }

    fn view(&self, place: Place) -> Result<View> {
        if let Some(slot) = self.slot(place) {
            return Ok(View::Variable(slot));
        }
        match self.read(place)?.0 {
            Item::Symbol(_) => Ok(View::Symbol),
            Item::Expression(arity) => Ok(View::Expression(arity)),
            Item::NewVariable | Item::Reference(_) => Err(broken()),
        }
    }

    fn read(&self, place: Place) -> Result<(Item<'_>, usize)> {
        let frame = self.frames.get(place.frame as usize).ok_or_else(broken)?;
        read(self.frame_bytes(frame), place.at as usize).ok_or_else(broken)
    }

    /// The first item of the expression at `place`.
    fn inside(&self, place: Place) -> Result<Place> {
        Ok(Place {
            at: narrow(self.read(place)?.1),
            ..place
        })
    }

    /// The place after the term at `place`.
    fn after(&self, place: Place) -> Result<Place> {
        let frame = self.frames.get(place.frame as usize).ok_or_else(broken)?;
        let bytes = self.frame_bytes(frame);
        let end = skip(bytes, place.at as usize).ok_or_else(broken)?;
        let new = if frame.ground {
            0
        } else {
            term::count_new(bytes.get(place.at as usize..end).ok_or_else(broken)?)
        };
        Ok(Place {
            at: narrow(end),
            seen: place.seen + new,
            ..place
        })
    }

    /// Binds an unbound variable unless it occurs in what it would stand for.
    fn bind(&mut self, slot: u32, to: Place) -> Result<bool> {
        if self.occurs(slot, to)? {
            return Ok(false);
        }
        if let Some(binding) = self.slots.get_mut(slot as usize) {
            *binding = Some(to);
            self.trail.push(slot);
        }
        Ok(true)
    }

    /// Whether the unbound variable `slot` is in the term at `place`. Each variable on the way is
    /// entered once, so the time is linear in the frames.
    fn occurs(&mut self, slot: u32, place: Place) -> Result<bool> {
        if self
            .frames
            .get(place.frame as usize)
            .is_none_or(|frame| frame.ground)
        {
            return Ok(false);
        }
        self.round = self.round.wrapping_add(1);
        self.rounds.resize(self.slots.len(), 0);
        self.walk.clear();
        self.walk.push((place, 1));
        while let Some((mut place, mut count)) = self.walk.pop() {
            while count > 0 {
                count -= 1;
                let found = self.slot(place);
                let (item, next) = self.read(place)?;
                if let Item::Expression(arity) = item {
                    count += u64::from(arity);
                }
                place.seen += u32::from(item == Item::NewVariable);
                place.at = narrow(next);
                let Some(found) = found else { continue };
                if found == slot {
                    return Ok(true);
                }
                if let Some(round) = self.rounds.get_mut(found as usize)
                    && *round != self.round
                {
                    *round = self.round;
                    if let Some(Some(bound)) = self.slots.get(found as usize) {
                        self.walk.push((place, count));
                        (place, count) = (*bound, 1);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Appends the instance of the term at `place` to `out`, whose variables `names` numbers.
    pub fn instance(&self, place: Place, names: &mut Naming, out: &mut Writer) -> Result<()> {
        let mut steps = 0_u64;
        let mut stack = vec![(place, 1_u64)];
        while let Some((mut place, mut count)) = stack.pop() {
            while count > 0 {
                steps += 1;
                if steps > STEPS_MAX {
                    return Err(too_long());
                }
                count -= 1;
                if let Some(slot) = self.slot(place) {
                    let bound = self.slots.get(slot as usize).copied().flatten();
                    place = self.after(place)?;
                    match bound {
                        None => names.write(slot, out)?,
                        Some(bound) => {
                            if count > 0 {
                                stack.push((place, count));
                            }
                            (place, count) = (bound, 1);
                        }
                    }
                    continue;
                }
                let (item, next) = self.read(place)?;
                match item {
                    Item::Symbol(text) => out.symbol(text)?,
                    Item::Expression(arity) => {
                        out.expression(arity)?;
                        count += u64::from(arity);
                    }
                    Item::NewVariable | Item::Reference(_) => return Err(broken()),
                }
                place.at = narrow(next);
            }
        }
        Ok(())
    }

    /// The instance of the term at `place` as a term of its own.
    pub fn term(&self, place: Place) -> Result<Term> {
        let mut writer = Writer::default();
        self.instance(place, &mut Naming::default(), &mut writer)?;
        Ok(writer.finish())
    }
}

enum Outcome {
    Differ,
    Go,
    Enter(Task),
}

/// The numbers that unbound variables get in one term that is written.
#[derive(Debug, Default)]
pub struct Naming {
    slots: Vec<u32>,
    places: std::collections::HashMap<u32, u32>,
    first: Option<usize>,
}

impl Naming {
    const FEW: usize = 16;

    /// Begins again.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.places.clear();
        self.first = None;
    }

    /// How many bytes were written before the first variable, if one was written.
    #[must_use]
    pub fn first(&self) -> Option<usize> {
        self.first
    }

    fn write(&mut self, slot: u32, out: &mut Writer) -> Result<()> {
        let known = if self.slots.len() <= Self::FEW {
            self.slots.iter().position(|known| *known == slot).map(narrow)
        } else {
            self.places.get(&slot).copied()
        };
        if let Some(number) = known {
            return out.reference(number);
        }
        self.first = self.first.or(Some(out.as_bytes().len()));
        let number = out.new_variable()?;
        self.slots.push(slot);
        if self.slots.len() == Self::FEW + 1 {
            self.places.extend(self.slots.iter().copied().zip(0..));
        } else if self.slots.len() > Self::FEW {
            self.places.insert(slot, number);
        }
        Ok(())
    }
}

/// Unifies two terms with variables apart; their common instance.
pub fn unified(left: &Term, right: &Term) -> Result<Option<Term>> {
    let mut unifier = Unifier::default();
    let left = unifier.frame(left.as_bytes());
    let right = unifier.frame(right.as_bytes());
    if unifier.unify(left, right)? {
        unifier.term(left).map(Some)
    } else {
        Ok(None)
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn broken() -> Error {
    Error::corrupt("an encoded term breaks off")
}

fn too_long() -> Error {
    Error::new(
        Kind::TooLarge,
        "UnificationTooLong",
        format!("unifying two terms took more than {STEPS_MAX} steps"),
    )
}

#[cfg(test)]
mod tests;
