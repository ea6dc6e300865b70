-- The origin of each grade of teacher and student: runs, model, prompt, request, query and document version.
with answers as (
    select *, 'teacher_labels' as table_name from teacher_labels
    union all by name
    select *, 'asked_labels' as table_name from asked_labels
),

teacher as (
    select
        corpus, 'teacher' as labeler, query_id, doc_id, grade, teacher_model as model,
        prompt_hash, request_key, n_asked_together, table_name
    from answers
),

student as (
    select
        corpus, 'student' as labeler, query_id, doc_id, grade, model_id as model,
        'student_labels' as table_name
    from student_labels
),

queries as (
    select
        corpus, query_id, content_hash as query_hash, source as query_source,
        teacher_model as query_model, prompt_hash as query_prompt_hash
    from synthetic_queries
),

documents as (
    select corpus, doc_id, content_hash as document_hash from seed_docs
),

students as (
    select corpus, 'student' as labeler, model_id as model, training_set_hash from student_model
),

-- The run that last wrote each partition.
written as (
    select corpus, table_name, run_id, written_at from materializations
),

student_written as (
    select corpus, 'student' as labeler, run_id as student_run_id
    from written
    where table_name = 'student_model'
),

queries_written as (
    select corpus, run_id as query_run_id from written where table_name = 'synthetic_queries'
),

documents_written as (
    select corpus, run_id as document_run_id from written where table_name = 'seed_docs'
),

-- A student has no prompt of its own. These are the prompts of the grades that it was trained on.
training_prompts as (
    select
        corpus, 'student' as labeler,
        string_agg(distinct prompt_hash, ', ' order by prompt_hash) as training_prompt_hash
    from teacher_labels
    where status = 'ok'
    group by corpus
),

-- A run writes whole partitions. The run that graded a pair may be an earlier one.
graded as (
    select
        corpus, labeler, query_id, doc_id,
        arg_max(run_id, noted_at) as graded_run_id, max(noted_at) as graded_at
    from grade_history
    group by all
),

grades as (
    select * from teacher
    union all by name
    select * from student
),

final as (
    select
        corpus, labeler, query_id, doc_id, grade, model,
        coalesce(prompt_hash, training_prompt_hash) as prompt_hash,
        request_key, n_asked_together,
        query_hash, query_source, query_model, query_prompt_hash,
        document_hash, training_set_hash,
        graded_run_id, graded_at, run_id, written_at,
        student_run_id, query_run_id, document_run_id
    from grades
    left join queries using (corpus, query_id)
    left join documents using (corpus, doc_id)
    left join written using (corpus, table_name)
    left join graded using (corpus, labeler, query_id, doc_id)
    left join training_prompts using (corpus, labeler)
    left join students using (corpus, labeler, model)
    left join student_written using (corpus, labeler)
    left join queries_written using (corpus)
    left join documents_written using (corpus)
)

select * from final
