//! Where boxes and the lines between them go: a layered drawing (Sugiyama, Tagawa & Toda, 1981) from top to bottom, made for
//! networks. A connection that skips what lies between its ends runs around it on the right, so that the trunk stays straight.

/// The space between ranks, where arrows and shapes are.
pub const RANK_GAP: f64 = 36.;
const COLUMN_GAP: f64 = 18.;
/// The space that a line takes beside boxes.
const LANE: f64 = 14.;

/// The width and height of a box.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub width: f64,
    pub height: f64,
}

/// A line between two boxes.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub from: usize,
    pub to: usize,
    /// The width of what is written where it leaves to the side.
    pub label: f64,
}

/// Where everything is.
#[derive(Debug)]
pub struct Layout {
    pub size: Size,
    /// The left upper corners.
    pub corners: Vec<(f64, f64)>,
    /// One for each link.
    pub routes: Vec<Route>,
}

/// The way of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Route {
    /// From the bottom of a box to the top of another, through these points between them, two for each rank.
    Down(Vec<(f64, f64)>),
    /// From the right of a box to the right of another, and down at this `x`.
    Around(f64),
}

/// A box, or the place where a line passes a rank.
struct Place {
    rank: usize,
    width: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Lays out boxes of these `sizes`, each of which comes after those with links to it.
pub fn layout(sizes: &[Size], links: &[Link]) -> Layout {
    let ranks = ranks(sizes.len(), links);
    let around: Vec<bool> = links.iter().map(|link| is_skip(link, links, &ranks)).collect();
    let mut places: Vec<Place> = sizes
        .iter()
        .zip(&ranks)
        .map(|(size, rank)| Place { rank: *rank, width: size.width, above: Vec::new(), below: Vec::new() })
        .collect();
    let mut ways: Vec<Vec<usize>> = Vec::with_capacity(links.len());
    for (link, around) in links.iter().zip(&around) {
        // A branch keeps its column where others are longer.
        let is_branch = links.iter().filter(|other| other.from == link.from).count() == 1;
        let width = if is_branch { sizes[link.from].width } else { LANE };
        ways.push(if *around { Vec::new() } else { way(link, width, &mut places) });
    }
    let rows = ordered(&places);
    let centres = centres(&places, &rows);
    let heights: Vec<f64> = (0..rows.len())
        .map(|rank| (0..sizes.len()).filter(|index| ranks[*index] == rank).map(|index| sizes[index].height).fold(0., f64::max))
        .collect();
    let tops: Vec<f64> = heights.iter().scan(0., |y, height| Some(std::mem::replace(y, *y + height + RANK_GAP))).collect();
    let corner = |index: usize| {
        let rank = ranks[index];
        (centres[index] - sizes[index].width / 2., tops[rank] + (heights[rank] - sizes[index].height) / 2.)
    };
    let right_of = |rank: usize| rows[rank].iter().map(|place| centres[*place] + places[*place].width / 2.).fold(0., f64::max);
    let rights: Vec<f64> = (0..rows.len()).map(right_of).collect();
    let lanes = lanes(links, &around, &ranks, &rights);
    let routes: Vec<Route> = lanes
        .iter()
        .zip(&ways)
        .map(|(lane, way)| match lane {
            Some(x) => Route::Around(*x),
            None => {
                let points = |place: &usize| {
                    let rank = places[*place].rank;
                    [(centres[*place], tops[rank]), (centres[*place], tops[rank] + heights[rank])]
                };
                Route::Down(way.iter().flat_map(points).collect())
            }
        })
        .collect();
    let width = rights.iter().copied().chain(lanes.into_iter().flatten().map(|x| x + 2.)).fold(0., f64::max);
    let height = tops.last().zip(heights.last()).map_or(0., |(top, height)| top + height);
    Layout { size: Size { width, height }, corners: (0..sizes.len()).map(corner).collect(), routes }
}

/// How far down each box is: under everything it follows, and a beginning right above what follows it.
fn ranks(count: usize, links: &[Link]) -> Vec<usize> {
    let mut ranks = vec![0; count];
    for to in 0..count {
        ranks[to] = links.iter().filter(|link| link.to == to).map(|link| ranks[link.from] + 1).max().unwrap_or(0);
    }
    for from in 0..count {
        let next = links.iter().filter(|link| link.from == from).map(|link| ranks[link.to]).min();
        if let Some(next) = next.filter(|_| links.iter().all(|link| link.to != from)) {
            ranks[from] = next - 1;
        }
    }
    ranks
}

/// Whether there is a longer way between the ends of a link.
fn is_skip(link: &Link, links: &[Link], ranks: &[usize]) -> bool {
    let mut reached = vec![link.from];
    let mut next = 0;
    while let Some(at) = reached.get(next).copied() {
        next += 1;
        for other in links.iter().filter(|other| other.from == at && (other.from, other.to) != (link.from, link.to)) {
            if other.to == link.to {
                return true;
            }
            if ranks[other.to] < ranks[link.to] && !reached.contains(&other.to) {
                reached.push(other.to);
            }
        }
    }
    false
}

/// Connects the ends of a link through a place of this `width` in every rank between them.
fn way(link: &Link, width: f64, places: &mut Vec<Place>) -> Vec<usize> {
    let (mut above, mut way) = (link.from, Vec::new());
    for rank in places[link.from].rank + 1..places[link.to].rank {
        places.push(Place { rank, width, above: vec![above], below: Vec::new() });
        let place = places.len() - 1;
        places[above].below.push(place);
        way.push(place);
        above = place;
    }
    places[above].below.push(link.to);
    places[link.to].above.push(above);
    way
}

/// The places of each rank from left to right, so that few lines cross.
fn ordered(places: &[Place]) -> Vec<Vec<usize>> {
    const SWEEPS: usize = 6;
    let count = places.iter().map(|place| place.rank + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    places.iter().enumerate().for_each(|(index, place)| rows[place.rank].push(index));
    let mut best = (crossings(places, &rows), rows.clone());
    for sweep in 0..SWEEPS {
        let is_down = sweep % 2 == 0;
        for step in 1..count {
            let rank = if is_down { step } else { count - 1 - step };
            let fixed = if is_down { rank - 1 } else { rank + 1 };
            let position = positions(places, &rows[fixed]);
            let key = |place: &usize| {
                let neighbours = if is_down { &places[*place].above } else { &places[*place].below };
                mean(neighbours.iter().map(|neighbour| position[*neighbour] as f64))
            };
            rows[rank].sort_by(|a, b| match (key(a), key(b)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => std::cmp::Ordering::Equal,
            });
        }
        let now = crossings(places, &rows);
        if now < best.0 || sweep == 0 && now == best.0 {
            best = (now, rows.clone());
        }
    }
    best.1
}

fn positions(places: &[Place], row: &[usize]) -> Vec<usize> {
    let mut positions = vec![0; places.len()];
    row.iter().enumerate().for_each(|(position, place)| positions[*place] = position);
    positions
}

fn crossings(places: &[Place], rows: &[Vec<usize>]) -> usize {
    let between = |pair: &[Vec<usize>]| {
        let below = positions(places, &pair[1]);
        let ends: Vec<(usize, usize)> = (0..pair[0].len())
            .flat_map(|above| places[pair[0][above]].below.iter().map(move |place| (above, *place)))
            .map(|(above, place)| (above, below[place]))
            .collect();
        let crosses = |(index, a): (usize, &(usize, usize))| {
            ends[index + 1..].iter().filter(|b| a.0 != b.0 && a.1 != b.1 && (a.0 < b.0) != (a.1 < b.1)).count()
        };
        ends.iter().enumerate().map(crosses).sum::<usize>()
    };
    rows.windows(2).map(between).sum()
}

/// The `x` of the middle of each place: near its neighbours, in the order of its row, the least being such that all is right of 0.
fn centres(places: &[Place], rows: &[Vec<usize>]) -> Vec<f64> {
    const ROUNDS: usize = 12;
    let mut centres = vec![0.; places.len()];
    for row in rows {
        spread(row, places, &mut centres);
    }
    for round in 0..ROUNDS {
        let mut order: Vec<&Vec<usize>> = rows.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for row in order {
            for place in row {
                let (above, below) = (&places[*place].above, &places[*place].below);
                let neighbours = match round {
                    _ if round + 2 >= ROUNDS => above.iter().chain(below).copied().collect::<Vec<_>>(),
                    _ if round % 2 == 0 => above.clone(),
                    _ => below.clone(),
                };
                centres[*place] = mean(neighbours.iter().map(|place| centres[*place])).unwrap_or(centres[*place]);
            }
            spread(row, places, &mut centres);
        }
    }
    let left = centres.iter().zip(places).map(|(centre, place)| centre - place.width / 2.).fold(f64::INFINITY, f64::min);
    centres.iter().map(|centre| centre - left).collect()
}

/// Moves the places of a row apart, each as little as can be: the least squares in a fixed order, by pooling adjacent violators.
fn spread(row: &[usize], places: &[Place], centres: &mut [f64]) {
    let mut offset = 0.;
    let mut pools: Vec<(f64, usize)> = Vec::new();
    let mut offsets = Vec::with_capacity(row.len());
    for (index, place) in row.iter().enumerate() {
        if index > 0 {
            offset += (places[row[index - 1]].width + places[*place].width) / 2. + COLUMN_GAP;
        }
        offsets.push(offset);
        let mut pool = (centres[*place] - offset, 1);
        while let Some(last) = pools.pop_if(|last| last.0 > pool.0) {
            let count = last.1 + pool.1;
            pool = ((last.0 * last.1 as f64 + pool.0 * pool.1 as f64) / count as f64, count);
        }
        pools.push(pool);
    }
    let placed = pools.into_iter().flat_map(|(at, count)| std::iter::repeat_n(at, count));
    for ((place, at), offset) in row.iter().zip(placed).zip(offsets) {
        centres[*place] = at + offset;
    }
}

/// The `x` of each line that goes around, short ones inside long ones.
fn lanes(links: &[Link], around: &[bool], ranks: &[usize], rights: &[f64]) -> Vec<Option<f64>> {
    let span = |index: usize| (ranks[links[index].from], ranks[links[index].to]);
    let mut skips: Vec<usize> = (0..links.len()).filter(|index| around[*index]).collect();
    skips.sort_by_key(|index| (span(*index).1 - span(*index).0, *index));
    let mut lanes: Vec<Option<f64>> = vec![None; links.len()];
    for index in skips {
        let (from, to) = span(index);
        let beside = rights[from..=to].iter().copied().fold(0., f64::max);
        // Lines that only touch end to end share a lane.
        let crossing = |other: &usize| span(*other).0 < to && from < span(*other).1;
        let taken = (0..links.len()).filter(crossing).filter_map(|other| lanes[other]).fold(beside, f64::max);
        lanes[index] = Some((taken + LANE).max(rights[from] + links[index].label + LANE));
    }
    lanes
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0., 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize, links: &[(usize, usize)]) -> Layout {
        let links: Vec<Link> = links.iter().map(|(from, to)| Link { from: *from, to: *to, label: 0. }).collect();
        layout(&vec![Size { width: 100., height: 20. }; count], &links)
    }

    fn x(layout: &Layout) -> Vec<f64> {
        layout.corners.iter().map(|(x, _)| x.round()).collect()
    }

    #[test]
    fn a_chain_is_a_column() {
        let layout = of(3, &[(0, 1), (1, 2)]);
        assert_eq!(layout.corners, [(0., 0.), (0., 20. + RANK_GAP), (0., 2. * (20. + RANK_GAP))]);
        assert_eq!((layout.size.width, layout.size.height), (100., 60. + 2. * RANK_GAP));
    }

    #[test]
    fn a_skip_goes_around_and_leaves_the_trunk_straight() {
        let layout = of(4, &[(0, 1), (1, 2), (0, 2), (2, 3), (0, 3)]);
        assert_eq!(x(&layout), [0.; 4]);
        assert_eq!(layout.routes[2], Route::Around(100. + LANE));
        assert_eq!(layout.routes[4], Route::Around(100. + 2. * LANE));
        assert_eq!(layout.size.width, 100. + 2. * LANE + 2.);
    }

    #[test]
    fn skips_that_follow_one_another_share_a_lane() {
        let layout = of(5, &[(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4)]);
        assert_eq!(layout.routes[2], layout.routes[5]);
    }

    #[test]
    fn branches_stand_side_by_side_between_their_ends() {
        let layout = of(5, &[(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]);
        assert_eq!(x(&layout), [118., 0., 118., 236., 118.]);
        assert!(layout.routes.iter().all(|route| *route == Route::Down(Vec::new())));
    }

    #[test]
    fn a_short_branch_has_its_own_column() {
        let layout = of(5, &[(0, 1), (0, 2), (2, 3), (1, 4), (3, 4)]);
        let Route::Down(points) = &layout.routes[3] else { panic!("a branch goes down") };
        assert_eq!(points.len(), 2);
        assert!(points[0].0 < layout.corners[3].0, "{layout:?}");
    }

    #[test]
    fn crossed_links_are_untangled() {
        let layout = of(4, &[(0, 3), (1, 2)]);
        assert!((x(&layout)[0] < x(&layout)[1]) == (x(&layout)[3] < x(&layout)[2]), "{layout:?}");
    }

    #[test]
    fn boxes_never_overlap() {
        // Every box after the first three follows two that a fixed rule picks.
        let links: Vec<(usize, usize)> = (3..40).flat_map(|to| [(to * 7 % to.min(11), to), (to - 1 - to * 5 % 3, to)]).collect();
        let layout = of(40, &links);
        for (index, (x, y)) in layout.corners.iter().enumerate() {
            assert!(*x >= -0.01 && x + 100. <= layout.size.width + 0.01 && y + 20. <= layout.size.height + 0.01);
            for (other_x, other_y) in &layout.corners[index + 1..] {
                assert!((x - other_x).abs() >= 100. || (y - other_y).abs() >= 20., "{layout:?}");
            }
        }
    }
}
