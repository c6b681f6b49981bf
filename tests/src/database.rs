//! A Postgres database for one test: a mirror belongs to one chain, so no test can use another's.
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Runtime;

/// The variable that names the server.
const SERVER: &str = "CONTROL_ROOM_TEST_POSTGRES";

/// The database. It is dropped with this value.
pub struct Database {
    server: String,
    name: String,
    runtime: Runtime,
}

impl Database {
    /// An empty database whose name begins with `test`; `None`, with a line on stderr, where no
    /// server is named.
    pub fn fresh(test: &str) -> Option<Self> {
        let Ok(server) = std::env::var(SERVER) else {
            println!("Postgres half not run: {SERVER} is not set");
            return None;
        };
        let name = format!("{test}_{}", std::process::id());
        let runtime = Runtime::new().expect("a runtime");
        let database = Self { server, name, runtime };
        database.drop_if_exists();
        database.run(&format!("CREATE DATABASE {}", database.name));
        Some(database)
    }

    /// The value for `--database-url`.
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("an address with a database");
        format!("{server}/{}", self.name)
    }

    fn drop_if_exists(&self) {
        self.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }

    fn run(&self, sql: &str) {
        self.runtime.block_on(async {
            let mut admin = PgConnection::connect(&self.server).await.expect("the server answers");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.expect("it is done");
        });
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.drop_if_exists();
    }
}
