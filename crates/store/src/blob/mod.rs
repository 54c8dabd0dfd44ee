//! Blobs: immutable sealed files, each named by a random id.
// NOTE from the lead (remove when built): crates/store/src/store.rs (written, not yet in lib.rs; lib.rs.lead is the coming lib.rs) uses exactly this. Please build it FIRST, then deepen:
//   pub type ContentStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send + Sync>>;
//   pub enum Piece { Whole(Bytes), Blob { id: BlobId, key: SealKey, context: Vec<u8>, len: u64 /*plain length*/, range: Range<u64> } }
//   Download::start(blobs: &Arc<Blobs>, transfers: &Budget, pieces: Vec<Piece>) -> impl Future<Output = Result<ContentStream>>   // reserves read-ahead memory from the budget, in order, read-ahead 2 pieces; pieces of 256 KiB..1 MiB; opens blobs lazily (a multipart object has up to 10,000)
//   Upload::start(blobs: &Arc<Blobs>, transfers: &Budget, id, key: &SealKey, salt: [u8; 24], context: &[u8]) -> impl Future<Output = Result<Upload>>; Upload::write(&mut self, Bytes) async; Upload::finish(self) async -> Result<u64 plain len> (durable: file + directory synced)
//   Blobs::delete(id) -> Result<()> (ok if gone), Blobs::list(&self, each: &mut dyn FnMut(BlobId) -> Result<()>) -> Result<()>
//   (in-progress tracking is done by crates/store/src/fresh.rs: Blobs need not know; an Upload that is dropped unfinished need not delete, fresh.rs does.)
// keyring: pub struct WrappedKey { pub key_id: String, pub bytes: Vec<u8> }; trait KeyProvider: Send + Sync + 'static { fn active_id(&self) -> String; fn wrap(&self, context: &[u8], key: &SealKey) -> Result<WrappedKey>; fn unwrap(&self, context: &[u8], wrapped: &WrappedKey) -> Result<SealKey>; }
