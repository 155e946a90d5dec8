//! The queue under a simulated clock: turns have lengths, and time passes when they end.

use super::*;

const TURN: Duration = Duration::from_millis(10);

/// Busy guests on some CPUs. Each is a flow's index; a flow may have several.
struct Machine {
    queue: RunQueue<usize>,
    flows: Vec<Arc<Flow<usize>>>,
    /// Who runs, until when.
    running: Vec<(Duration, Arc<usize>)>,
    used: Vec<Duration>,
    now: Duration,
}

impl Machine {
    fn new(cpus: usize) -> Machine {
        let queue = RunQueue::new(cpus, 0);
        Machine { queue, flows: Vec::new(), running: Vec::new(), used: Vec::new(), now: Duration::ZERO }
    }

    /// A container of these shares with so many busy guests.
    fn add(&mut self, shares: u32, guests: usize) -> usize {
        let index = self.flows.len();
        self.flows.push(Flow::new(shares));
        self.used.push(Duration::ZERO);
        for _ in 0..guests {
            let who = Arc::new(index);
            if self.queue.enter(&self.flows[index], &who) {
                self.running.push((self.now + TURN, who));
            }
        }
        index
    }

    /// Lets time pass; every guest always wants another turn.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(first) = (0..self.running.len()).min_by_key(|&at| self.running[at].0) {
            if self.running[first].0 > end {
                break;
            }
            let (until, who) = self.running.swap_remove(first);
            self.now = until;
            self.used[*who] += TURN;
            let next = self.queue.leave(&self.flows[*who], TURN, Some(Arc::clone(&who)));
            let next = next.expect("somebody waits: at least the one who left");
            // A place changes hands only once: nobody who waits is forgotten.
            self.running.push((until + TURN, next));
        }
        self.now = end;
    }

    fn used_ms(&self, flow: usize) -> u128 {
        self.used[flow].as_millis()
    }
}

#[test]
fn time_is_as_shares() {
    for cpus in [1, 2, 8] {
        let mut machine = Machine::new(cpus);
        let small: Vec<_> = (0..cpus).map(|_| machine.add(102, 1)).collect();
        let large: Vec<_> = (0..cpus).map(|_| machine.add(307, 1)).collect();
        machine.run(Duration::from_secs(20));
        let sum = |flows: &[usize]| flows.iter().map(|&flow| machine.used_ms(flow)).sum::<u128>() as f64;
        let ratio = sum(&large) / sum(&small);
        assert!((2.8..3.2).contains(&ratio), "{cpus} CPUs: 300m to 100m was {ratio}");
    }
}

#[test]
fn a_thousand_of_the_same_shares_get_the_same() {
    let mut machine = Machine::new(2);
    let flows: Vec<_> = (0..1000).map(|_| machine.add(2, 1)).collect();
    machine.run(Duration::from_secs(60));
    let times = flows.iter().map(|&flow| machine.used_ms(flow));
    let (least, most) = (times.clone().min().unwrap(), times.max().unwrap());
    assert!(most - least <= 10, "{least} to {most} ms");
}

#[test]
fn the_guests_of_a_container_share_its_shares() {
    let mut machine = Machine::new(1);
    let (many, one) = (machine.add(100, 50), machine.add(100, 1));
    machine.run(Duration::from_secs(10));
    let difference = machine.used_ms(many).abs_diff(machine.used_ms(one));
    assert!(difference <= 20, "{} and {} ms", machine.used_ms(many), machine.used_ms(one));
}

#[test]
fn who_comes_late_waits_for_one_turn_and_has_saved_nothing() {
    let mut machine = Machine::new(1);
    let old: Vec<_> = (0..100).map(|_| machine.add(100, 1)).collect();
    machine.run(Duration::from_secs(100));
    let before: u128 = old.iter().map(|&flow| machine.used_ms(flow)).sum();
    let late = machine.add(100, 1);
    machine.run(Duration::from_millis(20));
    assert!(machine.used_ms(late) >= 10, "its first turn is the next");
    machine.run(Duration::from_secs(10));
    assert!(machine.used_ms(late) <= 130, "{} ms of its hundredth of 10 s", machine.used_ms(late));
    assert!(before >= 99_000, "nobody's place was lost");
}

#[test]
fn more_than_a_cpu_is_nobodys_debt() {
    let mut machine = Machine::new(2);
    // Alone it may not use more than one CPU, whatever its shares; what it misses is not owed to it.
    let large = machine.add(1024, 1);
    let small = [machine.add(2, 1), machine.add(2, 1)];
    machine.run(Duration::from_secs(10));
    assert!(machine.used_ms(large) >= 9_900);
    assert!(small.iter().all(|&flow| (4_500..=5_500).contains(&machine.used_ms(flow))));
    let others = [machine.add(1024, 1), machine.add(1024, 1), machine.add(1024, 1)];
    let had = machine.used_ms(large);
    machine.run(Duration::from_secs(10));
    for flow in others {
        assert!((4_500..=5_500).contains(&machine.used_ms(flow)), "{} ms", machine.used_ms(flow));
    }
    assert!((4_500..=5_500).contains(&(machine.used_ms(large) - had)));
}

#[test]
fn who_stops_waiting_is_not_called() {
    let queue = RunQueue::new(1, 0);
    let flow = Flow::new(2);
    let (runs, waits, other) = (Arc::new(0), Arc::new(1), Arc::new(2));
    assert!(queue.enter(&flow, &runs));
    assert!(!queue.enter(&flow, &waits) && !queue.enter(&flow, &other));
    assert!(queue.forget(&flow, &waits) && !queue.forget(&flow, &waits));
    assert_eq!(queue.leave(&flow, TURN, None), Some(Arc::clone(&other)));
    assert!(!queue.forget(&flow, &other), "it has the place, and must give it up");
    assert_eq!(queue.leave(&flow, Duration::ZERO, None), None);
    assert!(queue.enter(&flow, &runs), "the place is free again");
}
