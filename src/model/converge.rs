//! Whether all can come right from wherever it stands: stateright sees that no state is a wrong
//! end; a circle without a way out would be none.

use std::collections::{HashMap, VecDeque};

use stateright::Model;

use super::Story;
use super::state::World;

/// States from which no order of events leads to where all is as it was.
pub fn lost(story: &Story) -> Vec<World> {
    let mut known: HashMap<World, usize> = HashMap::new();
    let (mut queue, mut before): (VecDeque<World>, Vec<Vec<usize>>) = (VecDeque::new(), Vec::new());
    for world in story.init_states() {
        known.insert(world.clone(), known.len());
        before.push(Vec::new());
        queue.push_back(world);
    }
    let mut right = Vec::new();
    while let Some(world) = queue.pop_front() {
        let at = known[&world];
        let next = story.next_states(&world);
        if next.is_empty() && story.is_settled(&world) {
            right.push(at);
        }
        for world in next {
            let count = known.len();
            let to = *known.entry(world.clone()).or_insert(count);
            if to == count {
                before.push(Vec::new());
                queue.push_back(world);
            }
            before[to].push(at);
        }
    }
    let mut comes_right = vec![false; known.len()];
    while let Some(at) = right.pop() {
        if !std::mem::replace(&mut comes_right[at], true) {
            right.extend(&before[at]);
        }
    }
    known
        .into_iter()
        .filter(|(_, at)| !comes_right[*at])
        .map(|(world, _)| world)
        .collect()
}
