//! A store that is not there is an error of every command that has to have one, and no command creates it.

use testkit::process::{agent_command, text};
use testkit::world::World;

#[tokio::test]
async fn a_mistyped_path_is_an_error_that_names_it_and_creates_nothing() {
    let world = World::start().await;
    let (mistyped, written) = (world.dir().join("mistyped"), world.dir().join("shown"));
    let shown = mistyped.display().to_string();
    let settings = vec![
        ("PhotoStorage__path", shown.clone()),
        ("PHOTORELAY_FOLDER_PATH", written.display().to_string()),
        ("PHOTORELAY_AGENT_NAME", "agent-of-the-tests".to_owned()),
    ];
    let user = world.user(0).to_string();
    let commands: [&[&str]; 9] = [
        &["once"],
        &["plan", &user],
        &["drift"],
        &["held"],
        &["approve", "--all"],
        &["reject", &user],
        &["undo", "--all", "--dry-run"],
        &["stop"],
        &["resume"],
    ];
    for command in commands {
        let output = agent_command(&world, &settings, command).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {}{said}", text(&output.stdout));
        assert!(said.contains(&shown) && said.contains("photorelay run"), "{command:?}: {said}");
    }
    let doctor = agent_command(&world, &settings, &["doctor"]).await;
    assert_eq!(doctor.status.code(), Some(2));
    assert!(text(&doctor.stdout).contains(&format!("no store of photorelay in {shown}")), "{}", text(&doctor.stdout));
    assert!(!mistyped.exists() && !written.exists());
    world.end().await;
}
