//! Who has which place: strangers by when they came, users by how many they have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Users;

/// A user who has more than this part of all places makes room for others, as who has most requests that last is refused
/// another one.
const PART: usize = 4;
/// So many connections are few, however few places there are: a node, or a part of the control plane, needs no more.
const FEW: usize = 8;
/// While a user has more than his part, strangers have at least this part of all places: a connection is a stranger's for
/// the time of its handshake, and one more that comes meanwhile must not end it.
const STRANGERS_PART: usize = 16;

/// The book of all connections. There are at most as many as places; whatever happens to one takes the logarithm of that.
pub(super) struct Book<T> {
    next: u64,
    /// More are too many for a user.
    part: usize,
    /// More are too many for strangers, while a user has too many.
    strangers_part: usize,
    strangers: BTreeMap<u64, T>,
    users: HashMap<Arc<str>, BTreeMap<u64, T>>,
    /// The same users by how many they have.
    ranks: BTreeSet<(usize, Arc<str>)>,
}

impl<T> Book<T> {
    /// Of so many places.
    pub(super) fn new(places: usize, users: Users) -> Self {
        let part = match users {
            Users::Stay => usize::MAX,
            Users::Share => places.div_ceil(PART).max(FEW),
        };
        Self {
            next: 0,
            part,
            strangers_part: places.div_ceil(STRANGERS_PART),
            strangers: BTreeMap::new(),
            users: HashMap::new(),
            ranks: BTreeSet::new(),
        }
    }

    /// A stranger has come. Returns the number of his connection.
    pub(super) fn enter(&mut self, connection: T) -> u64 {
        let number = self.next;
        self.next += 1;
        self.strangers.insert(number, connection);
        number
    }

    /// It is known whose connection it is, by his name in this book. `None`: it is known already, or not here any more.
    pub(super) fn introduce(&mut self, number: u64, user: &str) -> Option<Arc<str>> {
        let connection = self.strangers.remove(&number)?;
        let user = self.users.get_key_value(user).map_or_else(|| user.into(), |(user, _)| user.clone());
        let own = self.users.entry(user.clone()).or_default();
        let before = own.len();
        own.insert(number, connection);
        self.rank(&user, before, before + 1);
        Some(user)
    }

    /// The connection of this user, or a stranger's, has ended.
    pub(super) fn leave(&mut self, number: u64, user: Option<&str>) {
        match user {
            Some(user) => drop(self.take(user, |own| own.remove(&number))),
            None => drop(self.strangers.remove(&number)),
        }
    }

    /// The connection that makes room, if there is one: of whoever has too many, the one that came first.
    pub(super) fn send_away(&mut self) -> Option<T> {
        let most = self.ranks.last().filter(|(count, _)| *count > self.part).map(|(_, user)| user.clone());
        match most.filter(|_| self.strangers.len() <= self.strangers_part) {
            Some(user) => self.take(&user, |own| own.pop_first().map(|(_, connection)| connection)),
            None => self.strangers.pop_first().map(|(_, connection)| connection),
        }
    }

    /// Takes a connection out of a user's.
    fn take(&mut self, user: &str, take: impl FnOnce(&mut BTreeMap<u64, T>) -> Option<T>) -> Option<T> {
        let user = self.users.get_key_value(user)?.0.clone();
        let own = self.users.get_mut(&user)?;
        let taken = take(own)?;
        let left = own.len();
        if left == 0 {
            self.users.remove(&user);
        }
        self.rank(&user, left + 1, left);
        Some(taken)
    }

    /// A user has another number of connections. Who has none is not known.
    fn rank(&mut self, user: &Arc<str>, before: usize, now: usize) {
        self.ranks.remove(&(before, user.clone()));
        if now > 0 {
            self.ranks.insert((now, user.clone()));
        }
    }

    /// Whether there is nothing in it.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.strangers.is_empty() && self.users.is_empty() && self.ranks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A connection is what it is called.
    fn fill(book: &mut Book<String>, user: &str, count: usize) {
        for index in 0..count {
            let number = book.enter(format!("{user}{index}"));
            book.introduce(number, user);
        }
    }

    #[test]
    fn who_has_most_makes_room_down_to_his_part() {
        let mut book = Book::new(100, Users::Share);
        fill(&mut book, "jane", 30);
        fill(&mut book, "joe", 28);
        fill(&mut book, "node", 3);
        let gone: Vec<String> = std::iter::from_fn(|| book.send_away()).collect();
        assert_eq!(gone.len(), 5 + 3, "each has 25 left: {gone:?}");
        assert_eq!(gone[..2], ["jane0", "jane1"], "who came first goes first");
        assert!(!gone.iter().any(|gone| gone.starts_with("node")));
    }

    #[test]
    fn a_few_connections_are_never_too_many() {
        let mut book = Book::new(4, Users::Share);
        fill(&mut book, "node", 4);
        assert_eq!(book.send_away(), None);
    }

    #[test]
    fn strangers_have_the_time_to_say_who_they_are() {
        let mut book = Book::new(64, Users::Share);
        fill(&mut book, "jane", 58);
        for index in 0..6 {
            book.enter(format!("stranger{index}"));
        }
        let gone: Vec<String> = (0..4).filter_map(|_| book.send_away()).collect();
        assert_eq!(gone, ["stranger0", "stranger1", "jane0", "jane1"]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Enter,
        Introduce(usize, usize),
        Leave(usize),
        SendAway,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => Just(Step::Enter),
            5 => (any::<usize>(), 0..4usize).prop_map(|(which, user)| Step::Introduce(which, user)),
            2 => any::<usize>().prop_map(Step::Leave),
            2 => Just(Step::SendAway),
        ];
        proptest::collection::vec(step, 1..400)
    }

    /// What a book says, the slow way: number, and user once known.
    #[derive(Default)]
    struct Model(Vec<(u64, Option<usize>)>);

    impl Model {
        fn count(&self, user: Option<usize>) -> usize {
            self.0.iter().filter(|(_, whose)| *whose == user).count()
        }

        /// Which place is to be given up.
        fn victim(&self, places: usize) -> Option<u64> {
            let part = places.div_ceil(PART).max(FEW);
            // Of equals the last by name.
            let most = (0..NAMES.len()).max_by_key(|user| (self.count(Some(*user)), *user));
            let most = most.filter(|user| self.count(Some(*user)) > part);
            let whose = most.filter(|_| self.count(None) <= places.div_ceil(STRANGERS_PART));
            self.0.iter().filter(|(_, user)| *user == whose).map(|(number, _)| *number).min()
        }
    }

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn the_book_always_knows_who_has_how_many(places in 1..80usize, steps in steps()) {
            let (mut book, mut model) = (Book::new(places, Users::Share), Model::default());
            for step in steps {
                match step {
                    Step::Enter => {
                        let number = book.next;
                        prop_assert_eq!(book.enter(number), number);
                        model.0.push((number, None));
                    }
                    Step::Introduce(which, user) if !model.0.is_empty() => {
                        let which = which % model.0.len();
                        let (number, whose) = &mut model.0[which];
                        let was_known = whose.is_some();
                        prop_assert_eq!(book.introduce(*number, NAMES[user]).is_none(), was_known);
                        whose.get_or_insert(user);
                    }
                    Step::Leave(which) if !model.0.is_empty() => {
                        let (number, whose) = model.0.swap_remove(which % model.0.len());
                        book.leave(number, whose.map(|user| NAMES[user]));
                        prop_assert!(book.introduce(number, "a").is_none(), "who has left is not here");
                    }
                    Step::SendAway => {
                        let victim = model.victim(places);
                        prop_assert_eq!(book.send_away(), victim);
                        model.0.retain(|(number, _)| Some(*number) != victim);
                    }
                    Step::Introduce(..) | Step::Leave(_) => {}
                }
                let ranks: BTreeSet<(usize, Arc<str>)> =
                    book.users.iter().map(|(user, own)| (own.len(), user.clone())).collect();
                prop_assert_eq!(&ranks, &book.ranks);
                prop_assert!(!book.users.values().any(BTreeMap::is_empty));
            }
            for (number, whose) in model.0 {
                book.leave(number, whose.map(|user| NAMES[user]));
            }
            prop_assert!(book.is_empty());
        }
    }
}
