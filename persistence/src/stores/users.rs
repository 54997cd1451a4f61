//! People who may log in for a merchant.

use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::Executor;
use sqlx::any::AnyRow;

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::Fields;

/// What a user may do. Numbers are stored: never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum Role {
    /// Everything, users and keys too.
    Admin = 1,
    /// Payments and customers.
    Standard = 2,
}

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: Xid,
    /// Whose it is.
    pub merchant: Xid,
    /// The name to log in with, as it was written; unique over all merchants, whatever its case.
    pub username: String,
    /// First and last name.
    pub name: String,
    /// As it was written; empty when unknown.
    pub phone: String,
    /// As it was written; empty when unknown.
    pub email: String,
    /// As it was written, `ETC/UTC`.
    pub timezone: String,
    /// The password's hash in PHC form. Empty: nobody can log in with a password.
    pub password: String,
    /// False: may not log in, and tokens and keys of this user count no more.
    pub active: bool,
    /// What it may do.
    pub role: Role,
    /// Tokens that were given out before this count no more.
    pub tokens_from: Micros,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
}

/// Without name, mail, phone and hash: a log is no place for them.
impl core::fmt::Debug for User {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

const COLUMNS: &str = "SELECT id, merchant, username, name, phone, email, timezone, password, active, role, tokens_from, created_at, \
                       updated_at FROM users";
/// True for the user `$2` of merchant `$1` when another one can still manage the account.
const ANOTHER_ADMIN: &str =
    "EXISTS (SELECT 1 FROM users other WHERE other.merchant = $1 AND other.id <> $2 AND other.role = 1 AND other.active = 1)";

impl User {
    /// How a name is compared.
    pub fn log_in_of(username: &str) -> String {
        username.to_lowercase()
    }

    fn read(row: &AnyRow) -> Result<User, PersistenceError> {
        let fields = Fields::of(row, "users");
        let role = match fields.integer("role")? {
            1 => Role::Admin,
            2 => Role::Standard,
            _ => return Err(PersistenceError::StoredRow { table: "users", fault: "the role is unknown" }),
        };
        Ok(User {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            username: fields.text("username")?,
            name: fields.text("name")?,
            phone: fields.text("phone")?,
            email: fields.text("email")?,
            timezone: fields.text("timezone")?,
            password: fields.text("password")?,
            active: fields.integer("active")? != 0,
            role,
            tokens_from: fields.time("tokens_from")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

impl Stores {
    /// Adds a user. False, and nothing done, when its name is taken.
    pub async fn add_user(&self, user: &User) -> Result<bool, PersistenceError> {
        let insert = "INSERT INTO users (id, merchant, username, log_in, name, phone, email, timezone, password, active, role, \
                      tokens_from, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                      ON CONFLICT DO NOTHING";
        let add = sqlx::query(insert).bind(&user.id.0[..]).bind(&user.merchant.0[..]).bind(&user.username[..]);
        let add = add.bind(User::log_in_of(&user.username)).bind(&user.name[..]).bind(&user.phone[..]).bind(&user.email[..]);
        let add = add.bind(&user.timezone[..]).bind(&user.password[..]).bind(i64::from(user.active)).bind(user.role as i64);
        let add = add.bind(user.tokens_from.0).bind(user.created_at.0).bind(user.updated_at.0);
        let added = add.execute(&self.database.pool).await.map_err(PersistenceError::sql("add a user"))?;
        Ok(added.rows_affected() == 1)
    }

    /// Changes all of a user but its names to log in with and its password. False, and nothing done, when it is not there or nobody
    /// would be left to manage the account.
    pub async fn change_user(&self, user: &User) -> Result<bool, PersistenceError> {
        let update = format!(
            "UPDATE users SET name = $3, phone = $4, email = $5, timezone = $6, active = $7, role = $8, updated_at = $9 \
             WHERE merchant = $1 AND id = $2 AND (($7 = 1 AND $8 = 1) OR role <> 1 OR active <> 1 OR {ANOTHER_ADMIN})"
        );
        let change = sqlx::query(sqlx::AssertSqlSafe(update)).bind(&user.merchant.0[..]).bind(&user.id.0[..]);
        let change = change.bind(&user.name[..]).bind(&user.phone[..]).bind(&user.email[..]).bind(&user.timezone[..]);
        let change = change.bind(i64::from(user.active)).bind(user.role as i64).bind(user.updated_at.0);
        let changed = change.execute(&self.database.pool).await.map_err(PersistenceError::sql("change a user"))?;
        Ok(changed.rows_affected() == 1)
    }

    /// Gives a user another password. Tokens from before count no more, and a code to reset it is used up.
    pub async fn set_password(&self, id: &Xid, password: &str, now: Micros) -> Result<(), PersistenceError> {
        const OPERATION: &str = "set a password";
        let mut transaction = self.begin_write(OPERATION).await?;
        let update = "UPDATE users SET password = $2, tokens_from = $3, updated_at = $3 WHERE id = $1";
        let update = sqlx::query(update).bind(&id.0[..]).bind(password).bind(now.0);
        transaction.execute(update).await.map_err(PersistenceError::sql(OPERATION))?;
        let delete = sqlx::query("DELETE FROM reset_codes WHERE user_id = $1").bind(&id.0[..]);
        transaction.execute(delete).await.map_err(PersistenceError::sql(OPERATION))?;
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))
    }

    /// A user by id, whoever's it is.
    pub async fn user(&self, id: &Xid) -> Result<Option<User>, PersistenceError> {
        let select = format!("{COLUMNS} WHERE id = $1");
        for home in self.key_homes() {
            let row = sqlx::query(sqlx::AssertSqlSafe(&select[..])).bind(&id.0[..]).fetch_optional(&home.pool).await;
            if let Some(row) = row.map_err(PersistenceError::sql("look a user up"))? {
                return User::read(&row).map(Some);
            }
        }
        Ok(None)
    }

    /// The user who logs in with this name.
    pub async fn user_by_name(&self, username: &str) -> Result<Option<User>, PersistenceError> {
        let select = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE log_in = $1"));
        let row = sqlx::query(select).bind(User::log_in_of(username)).fetch_optional(&self.database.pool).await;
        row.map_err(PersistenceError::sql("look a user up"))?.as_ref().map(User::read).transpose()
    }

    /// A merchant's users, oldest first.
    pub async fn users(&self, merchant: &Xid) -> Result<Vec<User>, PersistenceError> {
        let select = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE merchant = $1 ORDER BY created_at, id"));
        let rows = sqlx::query(select).bind(&merchant.0[..]).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list users"))?.iter().map(User::read).collect()
    }

    /// Active users with this address, at most `limit`.
    pub async fn users_by_email(&self, email: &str, limit: u32) -> Result<Vec<User>, PersistenceError> {
        let select = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE email = $1 AND active = 1 ORDER BY id LIMIT $2"));
        let rows = sqlx::query(select).bind(email).bind(i64::from(limit)).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("look users up by address"))?.iter().map(User::read).collect()
    }

    /// Removes a user and its keys. False, and nothing done, when it is not there or nobody would be left to manage the account.
    pub async fn delete_user(&self, merchant: &Xid, id: &Xid) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "remove a user";
        let mut transaction = self.begin_write(OPERATION).await?;
        let delete =
            format!("DELETE FROM users WHERE merchant = $1 AND id = $2 AND (role <> 1 OR active <> 1 OR {ANOTHER_ADMIN})");
        let delete = sqlx::query(sqlx::AssertSqlSafe(delete)).bind(&merchant.0[..]).bind(&id.0[..]);
        let deleted = transaction.execute(delete).await.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        if deleted {
            for statement in ["DELETE FROM api_keys WHERE user_id = $1", "DELETE FROM reset_codes WHERE user_id = $1"] {
                let delete = sqlx::query(statement).bind(&id.0[..]);
                transaction.execute(delete).await.map_err(PersistenceError::sql(OPERATION))?;
            }
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(deleted)
    }
}
