//! Synchronized people of a large tenant, who follow from their number and are not stored.
//!
//! Their ids are in the order of their numbers, so that a listing by id is a count.

use uuid::Uuid;

use super::dice::guid;
use super::user::SimUser;

#[derive(Debug, Clone, Copy)]
pub(super) struct GeneratedPeople {
    pub(super) count: usize,
    seed: u64,
}

impl GeneratedPeople {
    pub(super) fn new(count: usize, seed: u64) -> Self {
        Self { count, seed }
    }

    pub(super) fn user(&self, number: usize) -> SimUser {
        let mut user = SimUser::synchronized(number, &mut self.dice(number));
        user.id = self.id(number);
        user
    }

    /// The number of the person with this id.
    pub(super) fn number_of(&self, id: Uuid) -> Option<usize> {
        let number = (id.as_fields().0 / self.stride()) as usize;
        (number < self.count && self.id(number) == id).then_some(number)
    }

    /// The number of the person with this user principal name, in lower case, which ends in it.
    pub(super) fn number_of_name(&self, name: &str) -> Option<usize> {
        let local = name.split('@').next().unwrap_or_default();
        let digits = local.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        let number: usize = digits.parse().ok().filter(|number| *number < self.count)?;
        (self.user(number).user_principal_name.to_lowercase() == name).then_some(number)
    }

    /// Random, but for the first digits.
    fn id(&self, number: usize) -> Uuid {
        let random = guid(&mut self.dice(number));
        let (_, second, third, rest) = random.as_fields();
        Uuid::from_fields(number as u32 * self.stride(), second, third, rest)
    }

    fn stride(&self) -> u32 {
        u32::MAX / u32::try_from(self.count.max(1)).unwrap_or(u32::MAX)
    }

    fn dice(&self, number: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_person_is_found_by_id_and_by_name() {
        for count in [1, 7, 1_000_000] {
            let people = GeneratedPeople::new(count, 3);
            for number in [0, count / 2, count - 1] {
                let user = people.user(number);
                assert_eq!(people.number_of(user.id), Some(number));
                assert_eq!(people.number_of_name(&user.user_principal_name.to_lowercase()), Some(number));
                assert!(number == 0 || people.user(number - 1).id < user.id);
            }
            assert_eq!(people.number_of(Uuid::nil()), None);
            assert_eq!(people.number_of_name("anna.obrien@contoso.test"), None);
        }
    }
}
