// What a program in JavaScript does with a bucket, by AWS's own client. Each function is a test; its name
// is this program's argument. Ends with 0, or with what was wrong.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import * as aws from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const MIB = 1 << 20;
const Bucket = process.env.BUCKET;
const settings = {
  endpoint: process.env.CRATON_ENDPOINT,
  region: "us-east-1",
  forcePathStyle: true,
  maxAttempts: 1,
  credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY },
};
const s3 = new aws.S3Client(settings);
const send = (command, input) => s3.send(new aws[`${command}Command`]({ Bucket, ...input }));
const read = async (input) => Buffer.from(await (await send("GetObject", input)).Body.transformToByteArray());

async function refused(code, promise) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.Code ?? e.name, code, `${e}`);
    return true;
  });
}

const tests = {
  async objects() {
    const data = randomBytes(100_000);
    const Key = "a b/ü+&";
    const put = await send("PutObject", { Key, Body: data, ContentType: "text/x", Metadata: { who: "me" } });
    assert.equal(put.ETag, `"${createHash("md5").update(data).digest("hex")}"`);
    assert.ok(put.ChecksumCRC32, "this client sends a checksum by itself");
    assert.deepEqual(await read({ Key }), data);
    assert.deepEqual(await read({ Key, Range: "bytes=10-19" }), data.subarray(10, 20));
    const head = await send("HeadObject", { Key });
    assert.deepEqual([head.ContentLength, head.ContentType, head.Metadata], [data.length, "text/x", { who: "me" }]);
    await refused("NoSuchKey", send("GetObject", { Key: "none" }));
    await refused("NotFound", send("HeadObject", { Key: "none" }));
    await refused("PreconditionFailed", send("PutObject", { Key, Body: "x", IfNoneMatch: "*" }));
    await send("CopyObject", { Key: "copy", CopySource: encodeURI(`${Bucket}/${Key}`).replace("+", "%2B").replace("&", "%26") });
    assert.deepEqual(await read({ Key: "copy" }), data);
    const gone = await send("DeleteObjects", { Delete: { Objects: [{ Key }, { Key: "copy" }] } });
    assert.equal(gone.Deleted.length, 2);
    assert.equal((await send("ListObjectsV2", {})).KeyCount, 0);
  },

  async listings() {
    await Promise.all(Array.from({ length: 25 }, (_, n) => send("PutObject", { Key: `d${n % 5}/${n}`, Body: "x" })));
    const keys = [];
    for await (const page of aws.paginateListObjectsV2({ client: s3, pageSize: 4 }, { Bucket })) {
      keys.push(...page.Contents.map((o) => o.Key));
    }
    assert.equal(new Set(keys).size, 25);
    assert.deepEqual(keys, [...keys].sort());
    const tops = await send("ListObjectsV2", { Delimiter: "/" });
    assert.deepEqual(tops.CommonPrefixes.map((p) => p.Prefix), ["d0/", "d1/", "d2/", "d3/", "d4/"]);
  },

  async parts() {
    const data = randomBytes(11 * MIB);
    async function* pieces() {
      for (let at = 0; at < data.length; at += MIB) yield data.subarray(at, at + MIB);
    }
    const { Readable } = await import("node:stream");
    const params = { Bucket, Key: "large", Body: Readable.from(pieces()), ChecksumAlgorithm: "CRC32C" };
    const done = await new Upload({ client: s3, params, partSize: 5 * MIB, queueSize: 2 }).done();
    assert.ok(done.ETag.endsWith('-3"'), done.ETag);
    assert.deepEqual(await read({ Key: "large", ChecksumMode: "ENABLED" }), data);
    const attributes = await send("GetObjectAttributes", { Key: "large", ObjectAttributes: ["ObjectParts", "ObjectSize"] });
    assert.deepEqual([attributes.ObjectSize, attributes.ObjectParts.TotalPartsCount], [data.length, 3]);
    const { UploadId } = await send("CreateMultipartUpload", { Key: "left" });
    assert.equal((await send("ListMultipartUploads", {})).Uploads.length, 1);
    await send("AbortMultipartUpload", { Key: "left", UploadId });
    assert.equal((await send("ListMultipartUploads", {})).Uploads, undefined);
  },

  async links() {
    // Otherwise this client signs the checksum of no content into the link, which S3 then holds it to.
    const plain = new aws.S3Client({ ...settings, requestChecksumCalculation: "WHEN_REQUIRED" });
    const put = await getSignedUrl(plain, new aws.PutObjectCommand({ Bucket, Key: "by link" }), { expiresIn: 60 });
    assert.equal((await fetch(put, { method: "PUT", body: "content" })).status, 200);
    const get = await getSignedUrl(s3, new aws.GetObjectCommand({ Bucket, Key: "by link" }), { expiresIn: 60 });
    assert.equal(await (await fetch(get)).text(), "content");
    const conditions = [["content-length-range", 0, 10]];
    const { url, fields } = await createPresignedPost(s3, { Bucket, Key: "form/${filename}", Conditions: conditions, Expires: 60 });
    for (const [text, status] of [["short", 204], ["much too long for it", 400]]) {
      const form = new FormData();
      Object.entries(fields).forEach(([name, value]) => form.append(name, value));
      form.append("file", new Blob([text]), `${status}.txt`);
      assert.equal((await fetch(url, { method: "POST", body: form })).status, status);
    }
    assert.equal((await read({ Key: "form/204.txt" })).toString(), "short");
  },

  async versions() {
    await send("PutBucketVersioning", { VersioningConfiguration: { Status: "Enabled" } });
    const { VersionId } = await send("PutObject", { Key: "k", Body: "old", Tagging: "a=1" });
    await send("PutObject", { Key: "k", Body: "new" });
    assert.equal((await read({ Key: "k", VersionId })).toString(), "old");
    const marker = await send("DeleteObject", { Key: "k" });
    assert.equal(marker.DeleteMarker, true);
    await refused("NoSuchKey", send("GetObject", { Key: "k" }));
    const listed = await send("ListObjectVersions", {});
    assert.deepEqual([listed.Versions.length, listed.DeleteMarkers.length], [2, 1]);
    await send("CopyObject", { Key: "k", CopySource: `${Bucket}/k?versionId=${VersionId}` });
    assert.equal((await read({ Key: "k" })).toString(), "old");
    assert.deepEqual((await send("GetObjectTagging", { Key: "k" })).TagSet, [{ Key: "a", Value: "1" }]);
  },

  async configurations() {
    const CORSRules = [{ AllowedMethods: ["GET"], AllowedOrigins: ["*"] }];
    await send("PutBucketCors", { CORSConfiguration: { CORSRules } });
    assert.deepEqual((await send("GetBucketCors", {})).CORSRules, CORSRules);
    const Rules = [{ ID: "r", Status: "Enabled", Filter: { Prefix: "x/" }, Expiration: { Days: 3 } }];
    await send("PutBucketLifecycleConfiguration", { LifecycleConfiguration: { Rules } });
    assert.deepEqual((await send("GetBucketLifecycleConfiguration", {})).Rules, Rules);
    await refused("NoSuchBucketPolicy", send("GetBucketPolicy", {}));
    await send("PutBucketTagging", { Tagging: { TagSet: [{ Key: "a", Value: "b" }] } });
    assert.deepEqual((await send("GetBucketTagging", {})).TagSet, [{ Key: "a", Value: "b" }]);
  },
};

await tests[process.argv[2]]();
