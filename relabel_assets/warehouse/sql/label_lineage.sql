-- Where each grade of the teacher and the student comes from: runs, model, prompt, request, query and document version.
with graded as (
    select
        corpus, 'teacher' as labeler, query_id, doc_id, grade, teacher_model as model, prompt_hash, request_key, 'teacher_labels' as table_name
    from teacher_labels
    union all by name
    select corpus, 'student' as labeler, query_id, doc_id, grade, model_id as model, 'student_labels' as table_name
    from student_labels
),

-- A student has no prompt: what it learned from has, and it is retrained when that changes.
taught as (
    select corpus, string_agg(distinct prompt_hash, ', ' order by prompt_hash) as prompt_hash
    from teacher_labels
    where status = 'ok'
    group by corpus
),

-- A partition is written again with every change in it: the grade itself may be of an earlier run.
given as (
    select corpus, labeler, query_id, doc_id, arg_max(run_id, noted_at) as run_id, max(noted_at) as noted_at
    from grade_history
    group by all
),

final as (
    select
        graded.corpus, graded.labeler, graded.query_id, graded.doc_id, graded.grade, graded.model,
        coalesce(graded.prompt_hash, case when graded.labeler = 'student' then taught.prompt_hash end) as prompt_hash,
        graded.request_key, queries.content_hash as query_hash, queries.source as query_source,
        queries.teacher_model as query_model, queries.prompt_hash as query_prompt_hash,
        documents.content_hash as document_hash, student_model.training_set_hash,
        given.run_id as graded_run_id, given.noted_at as graded_at, made.run_id, made.written_at,
        trained.run_id as student_run_id, asked.run_id as query_run_id, read.run_id as document_run_id
    from graded
    left join synthetic_queries as queries using (corpus, query_id)
    left join seed_docs as documents using (corpus, doc_id)
    left join materializations as made using (corpus, table_name)
    left join given using (corpus, labeler, query_id, doc_id)
    left join taught using (corpus)
    left join student_model on student_model.corpus = graded.corpus and student_model.model_id = graded.model
    left join materializations as trained
        on trained.corpus = graded.corpus and trained.table_name = 'student_model' and graded.labeler = 'student'
    left join materializations as asked on asked.corpus = graded.corpus and asked.table_name = 'synthetic_queries'
    left join materializations as read on read.corpus = graded.corpus and read.table_name = 'seed_docs'
)

select * from final
